package fs

import (
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"unionfs/fs/union"
)

// Lookup serves LOOKUP. An absent name is an answer too: the kernel keeps it.
func (f *face) Lookup(in *fuse.InHeader, name []byte, out *fuse.EntryOut) fuse.Status {
	parent := f.nodes.get(in.NodeId)
	if parent == nil {
		return stale
	}
	if len(name) == 1 && name[0] == '.' {
		return f.again(parent, out)
	}
	var st union.Attr
	// The union doesn't keep a looked-up name, so it needs no copy.
	n, err := f.u.Lookup(parent, unsafe.String(unsafe.SliceData(name), len(name)), &st)
	if err == unix.ENOENT && f.timeout > 0 {
		out.NodeId = 0
		out.SetEntryTimeout(f.timeout)
		return fuse.OK
	}
	if err != nil {
		return f.status(err)
	}
	f.entryOut(out, n, &st)
	return fuse.OK
}

// again serves the LOOKUP of "." by which the kernel finds an inode again that
// somebody has a file handle of (fuse_get_dentry).
func (f *face) again(n *union.Inode, out *fuse.EntryOut) fuse.Status {
	var st union.Attr
	if err := f.u.GetAttr(n, &st); err != nil {
		return f.status(err)
	}
	n.Ref()
	f.entryOut(out, n, &st)
	return fuse.OK
}

// Forget serves FORGET and BATCH_FORGET.
func (f *face) Forget(id, lookups uint64) {
	if n := f.nodes.get(id); n != nil && id != rootID {
		f.u.Forget(n, lookups)
	}
}

func (f *face) create(parent uint64, name []byte, s *union.New, out *fuse.EntryOut) fuse.Status {
	dir := f.nodes.get(parent)
	if dir == nil {
		return stale
	}
	var st union.Attr
	n, err := f.u.Create(dir, string(name), s, &st)
	if err != nil {
		return f.status(err)
	}
	f.entryOut(out, n, &st)
	return fuse.OK
}

// Mknod serves MKNOD.
func (f *face) Mknod(in *fuse.MknodIn, name []byte, out *fuse.EntryOut) fuse.Status {
	major := in.Rdev >> 8 & 0xfff
	minor := in.Rdev&0xff | in.Rdev>>12&0xfff00
	return f.create(in.NodeId, name, &union.New{
		Mode: in.Mode, Umask: in.Umask, UID: in.Uid, GID: in.Gid, Rdev: unix.Mkdev(major, minor),
	}, out)
}

// Mkdir serves MKDIR.
func (f *face) Mkdir(in *fuse.MkdirIn, name []byte, out *fuse.EntryOut) fuse.Status {
	return f.create(in.NodeId, name, &union.New{
		Mode: unix.S_IFDIR | in.Mode&0o7777, Umask: in.Umask, UID: in.Uid, GID: in.Gid,
	}, out)
}

// Symlink serves SYMLINK.
func (f *face) Symlink(in *fuse.InHeader, target, name []byte, out *fuse.EntryOut) fuse.Status {
	return f.create(in.NodeId, name, &union.New{
		Mode: unix.S_IFLNK | 0o777, UID: in.Uid, GID: in.Gid, Target: string(target),
	}, out)
}

// Create serves CREATE: MKNOD of a regular file, as there are no handles. The
// kernel does well with MKNOD itself, and has nothing to release then. Where
// layers change below the mount, a file may come to be between its two questions.
func (f *face) Create(in *fuse.CreateIn, name []byte, out *fuse.CreateOut) fuse.Status {
	if f.has(fuse.CAP_NO_OPEN_SUPPORT) && f.timeout > 0 {
		return fuse.ENOSYS
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	code := f.create(in.NodeId, name, newRegular(in), &out.EntryOut)
	if code == fuse.OK {
		f.openNew(in, &out.EntryOut, &out.OpenOut)
	}
	if code != fuse.Status(unix.EEXIST) || in.Flags&unix.O_EXCL != 0 {
		return code
	}
	// Somebody made it since the kernel looked.
	code = f.Lookup(&in.InHeader, name, &out.EntryOut)
	if code != fuse.OK || out.NodeId == 0 {
		return code
	}
	if in.Flags&unix.O_TRUNC == 0 {
		f.openNew(in, &out.EntryOut, &out.OpenOut)
		return code
	}
	var st union.Attr
	if err := f.u.SetAttr(f.nodes.get(out.NodeId), &union.Change{Valid: union.SetSize}, &st); err != nil {
		f.Forget(out.NodeId, 1)
		return f.status(err)
	}
	fillAttr(&out.Attr, &st)
	f.openNew(in, &out.EntryOut, &out.OpenOut)
	return fuse.OK
}

// openNew opens a file that was made just now.
func (f *face) openNew(in *fuse.CreateIn, entry *fuse.EntryOut, out *fuse.OpenOut) {
	if !f.passes() {
		return
	}
	f.open(entry.NodeId, f.nodes.get(entry.NodeId), in.Flags&unix.O_ACCMODE, out)
	st := union.Attr{Mode: uint16(entry.Mode)}
	if f.changesUnseen(entry.NodeId, &st) {
		entry.SetAttrTimeout(0)
	}
}

func newRegular(in *fuse.CreateIn) *union.New {
	return &union.New{Mode: unix.S_IFREG | in.Mode&0o7777, Umask: in.Umask, UID: in.Uid, GID: in.Gid}
}

// Tmpfile serves TMPFILE.
func (f *face) Tmpfile(in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	dir := f.nodes.get(in.NodeId)
	if dir == nil {
		return stale
	}
	var st union.Attr
	n, err := f.u.Tmpfile(dir, newRegular(in), &st)
	if err != nil {
		return f.status(err)
	}
	f.entryOut(&out.EntryOut, n, &st)
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	f.openNew(in, &out.EntryOut, &out.OpenOut)
	return fuse.OK
}

// Link serves LINK.
func (f *face) Link(in *fuse.LinkIn, name []byte, out *fuse.EntryOut) fuse.Status {
	dir, n := f.nodes.get(in.NodeId), f.nodes.get(in.Oldnodeid)
	if dir == nil || n == nil {
		return stale
	}
	var st union.Attr
	if err := f.u.Link(n, dir, string(name), &st); err != nil {
		return f.status(err)
	}
	f.entryOut(out, n, &st)
	return fuse.OK
}

// Unlink serves UNLINK.
func (f *face) Unlink(in *fuse.InHeader, name []byte) fuse.Status {
	dir := f.nodes.get(in.NodeId)
	if dir == nil {
		return stale
	}
	return f.status(f.u.Unlink(dir, string(name)))
}

// Rmdir serves RMDIR.
func (f *face) Rmdir(in *fuse.InHeader, name []byte) fuse.Status {
	dir := f.nodes.get(in.NodeId)
	if dir == nil {
		return stale
	}
	return f.status(f.u.Rmdir(dir, string(name)))
}

// Rename serves RENAME and RENAME2.
func (f *face) Rename(in *fuse.RenameIn, oldName, newName []byte) fuse.Status {
	from, to := f.nodes.get(in.NodeId), f.nodes.get(in.Newdir)
	if from == nil || to == nil {
		return stale
	}
	return f.status(f.u.Rename(from, string(oldName), to, string(newName), uint(in.Flags)))
}

// Readlink serves READLINK.
func (f *face) Readlink(in *fuse.InHeader) ([]byte, fuse.Status) {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return nil, stale
	}
	target, err := f.u.Readlink(n)
	return []byte(target), f.status(err)
}
