package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"unionfs/fs/union"
)

// Open serves OPEN: never again, if the kernel can do without.
func (f *face) Open(in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if f.passes() {
		return f.openInModeP(in, out)
	}
	if f.has(fuse.CAP_NO_OPEN_SUPPORT) {
		return fuse.ENOSYS
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

// Release serves RELEASE: there is nothing to do without handles.
func (f *face) Release(in *fuse.ReleaseIn) fuse.Status {
	if f.passes() {
		f.released(in)
		return fuse.OK
	}
	return fuse.ENOSYS
}

// Flush serves FLUSH.
func (f *face) Flush(in *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }

// Access serves ACCESS: the kernel checks by itself (default_permissions).
func (f *face) Access(in *fuse.AccessIn) fuse.Status { return fuse.ENOSYS }

// Read serves READ.
func (f *face) Read(in *fuse.ReadIn, buf []byte) (int, fuse.Status) {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return 0, stale
	}
	got, err := f.u.Read(n, buf, int64(in.Offset))
	return got, f.status(err)
}

// Write serves WRITE.
func (f *face) Write(in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return 0, stale
	}
	late := in.WriteFlags&fuse.WRITE_CACHE != 0 && f.has(fuse.CAP_WRITEBACK_CACHE)
	put, err := f.u.Write(n, data, int64(in.Offset), union.WriteMode{
		KillSuid: in.WriteFlags&fuse.WRITE_KILL_SUIDGID != 0,
		Late:     late,
	})
	status := f.status(err)
	if late && !status.Ok() {
		f.lateFailure(in.NodeId, n, status)
	}
	return uint32(put), status
}

// Fsync serves FSYNC.
func (f *face) Fsync(in *fuse.FsyncIn) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	return f.status(f.u.Fsync(n, in.FsyncFlags&1 != 0))
}

// unasked is how data changes by requests that say nothing of suid bits: in
// practice nobody but root has CAP_FSETID. Their mtime is the kernel's, too.
func (f *face) unasked(uid uint32) union.WriteMode {
	return union.WriteMode{KillSuid: uid != 0, Late: f.has(fuse.CAP_WRITEBACK_CACHE)}
}

// Fallocate serves FALLOCATE.
func (f *face) Fallocate(in *fuse.FallocateIn) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	killed, err := f.u.Fallocate(n, in.Mode, int64(in.Offset), int64(in.Length), f.unasked(in.Uid))
	if killed {
		f.attrChanged(in.NodeId)
	}
	return f.status(err)
}

// attrChanged makes the kernel ask for a node's attributes again. It must not
// be called by the thread that the kernel waits for, which may hold the lock
// that the notification needs.
func (f *face) attrChanged(id uint64) {
	go func() { _ = f.server.NotifyInvalInode(id, -1, 0) }()
}

// Lseek serves LSEEK.
func (f *face) Lseek(in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	off, err := f.u.Lseek(n, int64(in.Offset), int(in.Whence))
	out.Offset = uint64(off)
	return f.status(err)
}

// CopyFileRange serves COPY_FILE_RANGE.
func (f *face) CopyFileRange(in *fuse.CopyFileRangeIn) (uint64, fuse.Status) {
	src, dst := f.nodes.get(in.NodeId), f.nodes.get(in.NodeIdOut)
	if src == nil || dst == nil {
		return 0, stale
	}
	copied, killed, err := f.u.CopyRange(src, int64(in.OffIn), dst, int64(in.OffOut), int64(in.Len), f.unasked(in.Uid))
	if killed {
		f.attrChanged(in.NodeIdOut)
	}
	return uint64(copied), f.status(err)
}

// StatFs serves STATFS.
func (f *face) StatFs(in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	var st unix.Statfs_t
	if err := f.u.Statfs(&st); err != nil {
		return f.status(err)
	}
	out.Blocks, out.Bfree, out.Bavail = st.Blocks, st.Bfree, st.Bavail
	out.Files, out.Ffree = st.Files, st.Ffree
	out.Bsize, out.Frsize, out.NameLen = uint32(st.Bsize), uint32(st.Frsize), union.NameMax
	return fuse.OK
}

// SyncFs serves SYNCFS.
func (f *face) SyncFs(in *fuse.InHeader) fuse.Status { return f.status(f.u.Sync()) }
