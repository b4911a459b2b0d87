package transport

import (
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// nothing is a FileSystem that can't do anything.
type nothing struct{}

func (nothing) Lookup(*fuse.InHeader, []byte, *fuse.EntryOut) fuse.Status { return fuse.ENOENT }
func (nothing) Forget(uint64, uint64)                                     {}
func (nothing) GetAttr(*fuse.GetAttrIn, *fuse.AttrOut) fuse.Status        { return fuse.ENOSYS }
func (nothing) Statx(*fuse.StatxIn, *fuse.StatxOut) fuse.Status           { return fuse.ENOSYS }
func (nothing) SetAttr(*fuse.SetAttrIn, *fuse.AttrOut) fuse.Status        { return fuse.ENOSYS }
func (nothing) Readlink(*fuse.InHeader) ([]byte, fuse.Status)             { return nil, fuse.EINVAL }
func (nothing) Access(*fuse.AccessIn) fuse.Status                         { return fuse.ENOSYS }
func (nothing) Mknod(*fuse.MknodIn, []byte, *fuse.EntryOut) fuse.Status   { return fuse.ENOSYS }
func (nothing) Mkdir(*fuse.MkdirIn, []byte, *fuse.EntryOut) fuse.Status   { return fuse.ENOSYS }
func (nothing) Symlink(*fuse.InHeader, []byte, []byte, *fuse.EntryOut) fuse.Status {
	return fuse.ENOSYS
}
func (nothing) Link(*fuse.LinkIn, []byte, *fuse.EntryOut) fuse.Status      { return fuse.ENOSYS }
func (nothing) Unlink(*fuse.InHeader, []byte) fuse.Status                  { return fuse.ENOSYS }
func (nothing) Rmdir(*fuse.InHeader, []byte) fuse.Status                   { return fuse.ENOSYS }
func (nothing) Rename(*fuse.RenameIn, []byte, []byte) fuse.Status          { return fuse.ENOSYS }
func (nothing) Create(*fuse.CreateIn, []byte, *fuse.CreateOut) fuse.Status { return fuse.ENOSYS }
func (nothing) Tmpfile(*fuse.CreateIn, *fuse.CreateOut) fuse.Status        { return fuse.ENOSYS }
func (nothing) Open(*fuse.OpenIn, *fuse.OpenOut) fuse.Status               { return fuse.ENOSYS }
func (nothing) Release(*fuse.ReleaseIn) fuse.Status                        { return fuse.ENOSYS }
func (nothing) Flush(*fuse.FlushIn) fuse.Status                            { return fuse.ENOSYS }
func (nothing) Read(*fuse.ReadIn, []byte) (int, fuse.Status)               { return 0, fuse.ENOSYS }
func (nothing) Write(*fuse.WriteIn, []byte) (uint32, fuse.Status)          { return 0, fuse.ENOSYS }
func (nothing) Fsync(*fuse.FsyncIn) fuse.Status                            { return fuse.ENOSYS }
func (nothing) Fallocate(*fuse.FallocateIn) fuse.Status                    { return fuse.ENOSYS }
func (nothing) Lseek(*fuse.LseekIn, *fuse.LseekOut) fuse.Status            { return fuse.ENOSYS }
func (nothing) CopyFileRange(*fuse.CopyFileRangeIn) (uint64, fuse.Status)  { return 0, fuse.ENOSYS }
func (nothing) Ioctl(*fuse.IoctlIn, []byte, *fuse.IoctlOut, []byte) fuse.Status {
	return fuse.Status(unix.ENOTTY)
}
func (nothing) OpenDir(*fuse.OpenIn, *fuse.OpenOut) fuse.Status            { return fuse.ENOSYS }
func (nothing) ReleaseDir(*fuse.ReleaseIn) fuse.Status                     { return fuse.ENOSYS }
func (nothing) ReadDir(*fuse.ReadIn, *fuse.DirEntryList) fuse.Status       { return fuse.ENOSYS }
func (nothing) ReadDirPlus(*fuse.ReadIn, *fuse.DirEntryList) fuse.Status   { return fuse.ENOSYS }
func (nothing) FsyncDir(*fuse.FsyncIn) fuse.Status                         { return fuse.ENOSYS }
func (nothing) StatFs(*fuse.InHeader, *fuse.StatfsOut) fuse.Status         { return fuse.ENOSYS }
func (nothing) SyncFs(*fuse.InHeader) fuse.Status                          { return fuse.ENOSYS }
func (nothing) GetXAttr(*fuse.InHeader, []byte, []byte) (int, fuse.Status) { return 0, fuse.ENOSYS }
func (nothing) ListXAttr(*fuse.InHeader, []byte) (int, fuse.Status)        { return 0, fuse.ENOSYS }
func (nothing) SetXAttr(*fuse.SetXAttrIn, []byte, []byte) fuse.Status      { return fuse.ENOSYS }
func (nothing) RemoveXAttr(*fuse.InHeader, []byte) fuse.Status             { return fuse.ENOSYS }
func (nothing) Destroy()                                                   {}
