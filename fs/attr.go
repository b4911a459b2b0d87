package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"unionfs/fs/union"
)

// device is the form of device numbers in FUSE: the kernel's 32-bit encoding
// (new_encode_dev), which the low half of makedev(3) is for all that fit.
func device(st *union.Attr) uint32 {
	return uint32(unix.Mkdev(st.Rdev_major, st.Rdev_minor))
}

func fillAttr(out *fuse.Attr, st *union.Attr) {
	out.Ino = st.Ino
	out.Size = st.Size
	out.Blocks = st.Blocks
	out.Atime, out.Atimensec = uint64(st.Atime.Sec), st.Atime.Nsec
	out.Mtime, out.Mtimensec = uint64(st.Mtime.Sec), st.Mtime.Nsec
	out.Ctime, out.Ctimensec = uint64(st.Ctime.Sec), st.Ctime.Nsec
	out.Mode = uint32(st.Mode)
	out.Nlink = st.Nlink
	out.Uid, out.Gid = st.Uid, st.Gid
	out.Rdev = device(st)
	out.Blksize = st.Blksize
}

func (f *face) attrOut(id uint64, out *fuse.AttrOut, st *union.Attr) {
	fillAttr(&out.Attr, st)
	if !f.changesUnseen(id, st) {
		out.SetTimeout(f.timeout)
	}
}

func (f *face) entryOut(out *fuse.EntryOut, n *union.Inode, st *union.Attr) {
	out.NodeId, out.Generation = f.nodes.idOf(n)
	fillAttr(&out.Attr, st)
	out.SetEntryTimeout(f.timeout)
	if !f.changesUnseen(out.NodeId, st) {
		out.SetAttrTimeout(f.timeout)
	}
}

// GetAttr serves GETATTR.
func (f *face) GetAttr(in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	if beforeWrite(in) {
		if status := f.late.take(n); !status.Ok() {
			return status
		}
	}
	var st union.Attr
	if err := f.u.GetAttr(n, &st); err != nil {
		return f.status(err)
	}
	f.attrOut(in.NodeId, out, &st)
	return fuse.OK
}

// Statx serves STATX, which the kernel sends for the birth time alone.
func (f *face) Statx(in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	var st union.Attr
	if err := f.u.GetAttr(n, &st); err != nil {
		return f.status(err)
	}
	if !f.changesUnseen(in.NodeId, &st) {
		out.SetTimeout(f.timeout)
	}
	s := &out.Statx
	s.Mask = st.Mask & (unix.STATX_BASIC_STATS | unix.STATX_BTIME)
	s.Blksize, s.Nlink, s.Uid, s.Gid, s.Mode = st.Blksize, st.Nlink, st.Uid, st.Gid, st.Mode
	s.Ino, s.Size, s.Blocks = st.Ino, st.Size, st.Blocks
	s.Atime.FromStatxTimestamp(&st.Atime)
	s.Btime.FromStatxTimestamp(&st.Btime)
	s.Ctime.FromStatxTimestamp(&st.Ctime)
	s.Mtime.FromStatxTimestamp(&st.Mtime)
	s.RdevMajor, s.RdevMinor = st.Rdev_major, st.Rdev_minor
	return fuse.OK
}

// SetAttr serves SETATTR.
func (f *face) SetAttr(in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	c := change(in)
	var st union.Attr
	if err := f.u.SetAttr(n, &c, &st); err != nil {
		return f.status(err)
	}
	f.attrOut(in.NodeId, out, &st)
	return fuse.OK
}

// change reads a SETATTR request. FATTR_CTIME is left out: the host keeps
// ctime by itself.
func change(in *fuse.SetAttrIn) union.Change {
	c := union.Change{Mode: in.Mode & 0o7777, UID: in.Uid, GID: in.Gid, Size: int64(in.Size)}
	for _, bit := range [...]struct {
		fuse  uint32
		union union.ChangeMask
	}{
		{fuse.FATTR_MODE, union.SetMode}, {fuse.FATTR_UID, union.SetUID}, {fuse.FATTR_GID, union.SetGID},
		{fuse.FATTR_SIZE, union.SetSize}, {fuse.FATTR_ATIME, union.SetAtime}, {fuse.FATTR_MTIME, union.SetMtime},
		{fuse.FATTR_KILL_SUIDGID, union.KillSuid},
	} {
		if in.Valid&bit.fuse != 0 {
			c.Valid |= bit.union
		}
	}
	c.Atime = unix.Timespec{Sec: int64(in.Atime), Nsec: int64(in.Atimensec)}
	if in.Valid&fuse.FATTR_ATIME_NOW != 0 {
		c.Atime.Nsec = unix.UTIME_NOW
	}
	c.Mtime = unix.Timespec{Sec: int64(in.Mtime), Nsec: int64(in.Mtimensec)}
	if in.Valid&fuse.FATTR_MTIME_NOW != 0 {
		c.Mtime.Nsec = unix.UTIME_NOW
	}
	return c
}
