package transport

import "github.com/hanwen/go-fuse/v2/fuse"

// FileSystem answers the requests of one FUSE connection. Methods are called
// from several reader threads at once. Structures and byte slices passed in
// belong to the transport and are reused after the call returns.
//
// Names passed as []byte alias the request buffer: a method that keeps one
// must copy it. Every method answers fuse.OK or a positive errno; ENOSYS from
// Open, OpenDir, Flush, Release and ReleaseDir tells the kernel never to ask
// again (include/uapi/linux/fuse.h: FUSE_NO_OPEN_SUPPORT,
// FUSE_NO_OPENDIR_SUPPORT).
type FileSystem interface {
	Lookup(in *fuse.InHeader, name []byte, out *fuse.EntryOut) fuse.Status
	Forget(node, lookups uint64)

	GetAttr(in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status
	Statx(in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status
	SetAttr(in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status
	// Readlink answers the target; the slice is not kept after the reply.
	Readlink(in *fuse.InHeader) ([]byte, fuse.Status)
	Access(in *fuse.AccessIn) fuse.Status

	Mknod(in *fuse.MknodIn, name []byte, out *fuse.EntryOut) fuse.Status
	Mkdir(in *fuse.MkdirIn, name []byte, out *fuse.EntryOut) fuse.Status
	Symlink(in *fuse.InHeader, target, name []byte, out *fuse.EntryOut) fuse.Status
	Link(in *fuse.LinkIn, name []byte, out *fuse.EntryOut) fuse.Status
	Unlink(in *fuse.InHeader, name []byte) fuse.Status
	Rmdir(in *fuse.InHeader, name []byte) fuse.Status
	// Rename serves RENAME (flags 0) and RENAME2.
	Rename(in *fuse.RenameIn, oldName, newName []byte) fuse.Status

	Create(in *fuse.CreateIn, name []byte, out *fuse.CreateOut) fuse.Status
	Tmpfile(in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status
	Open(in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status
	Release(in *fuse.ReleaseIn) fuse.Status
	Flush(in *fuse.FlushIn) fuse.Status
	// Read fills buf, whose length is in.Size, and answers the bytes read.
	Read(in *fuse.ReadIn, buf []byte) (int, fuse.Status)
	Write(in *fuse.WriteIn, data []byte) (uint32, fuse.Status)
	Fsync(in *fuse.FsyncIn) fuse.Status
	Fallocate(in *fuse.FallocateIn) fuse.Status
	Lseek(in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status
	// CopyFileRange answers the bytes copied; it serves the 32 and the 64
	// bit form of the request.
	CopyFileRange(in *fuse.CopyFileRangeIn) (uint64, fuse.Status)
	// Ioctl reads inbuf and fills outbuf (in.OutSize long).
	Ioctl(in *fuse.IoctlIn, inbuf []byte, out *fuse.IoctlOut, outbuf []byte) fuse.Status

	OpenDir(in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status
	ReleaseDir(in *fuse.ReleaseIn) fuse.Status
	ReadDir(in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status
	ReadDirPlus(in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status
	FsyncDir(in *fuse.FsyncIn) fuse.Status

	StatFs(in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status
	// SyncFs reaches only servers of virtiofs and fuseblk mounts today.
	SyncFs(in *fuse.InHeader) fuse.Status

	// GetXAttr and ListXAttr fill buf and answer the size of the value or
	// list. With an empty buf they answer the size alone; a buf that is too
	// small is ERANGE.
	GetXAttr(in *fuse.InHeader, name, buf []byte) (int, fuse.Status)
	ListXAttr(in *fuse.InHeader, buf []byte) (int, fuse.Status)
	SetXAttr(in *fuse.SetXAttrIn, name, value []byte) fuse.Status
	RemoveXAttr(in *fuse.InHeader, name []byte) fuse.Status

	// Destroy is called once, after the last request.
	Destroy()
}
