package transport

import (
	"strconv"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Opcodes of include/uapi/linux/fuse.h.
const (
	opLookup          = 1
	opForget          = 2
	opGetattr         = 3
	opSetattr         = 4
	opReadlink        = 5
	opSymlink         = 6
	opMknod           = 8
	opMkdir           = 9
	opUnlink          = 10
	opRmdir           = 11
	opRename          = 12
	opLink            = 13
	opOpen            = 14
	opRead            = 15
	opWrite           = 16
	opStatfs          = 17
	opRelease         = 18
	opFsync           = 20
	opSetxattr        = 21
	opGetxattr        = 22
	opListxattr       = 23
	opRemovexattr     = 24
	opFlush           = 25
	opInit            = 26
	opOpendir         = 27
	opReaddir         = 28
	opReleasedir      = 29
	opFsyncdir        = 30
	opAccess          = 34
	opCreate          = 35
	opInterrupt       = 36
	opDestroy         = 38
	opIoctl           = 39
	opBatchForget     = 42
	opFallocate       = 43
	opReaddirplus     = 44
	opRename2         = 45
	opLseek           = 46
	opCopyFileRange   = 47
	opSyncfs          = 50
	opTmpfile         = 51
	opStatx           = 52
	opCopyFileRange64 = 53

	maxOpcode = 64
)

// op is how one kind of request is served: its structure's size and handler.
// Requests without a handler (BMAP, POLL, GETLK, SETLK, INTERRUPT, ...) get
// ENOSYS, at which the kernel does the thing itself or stops asking.
type op struct {
	name  string
	size  int
	serve func(c *call) fuse.Status
}

func sizeOf[T any]() int {
	var t T
	return int(unsafe.Sizeof(t))
}

var ops [maxOpcode]op

func init() {
	header := sizeOf[fuse.InHeader]()
	ops = [maxOpcode]op{
		opLookup:          {"LOOKUP", header, serveLookup},
		opForget:          {"FORGET", sizeOf[fuse.ForgetIn](), serveForget},
		opGetattr:         {"GETATTR", sizeOf[fuse.GetAttrIn](), serveGetattr},
		opSetattr:         {"SETATTR", sizeOf[fuse.SetAttrIn](), serveSetattr},
		opReadlink:        {"READLINK", header, serveReadlink},
		opSymlink:         {"SYMLINK", header, serveSymlink},
		opMknod:           {"MKNOD", sizeOf[fuse.MknodIn](), serveMknod},
		opMkdir:           {"MKDIR", sizeOf[fuse.MkdirIn](), serveMkdir},
		opUnlink:          {"UNLINK", header, serveUnlink},
		opRmdir:           {"RMDIR", header, serveRmdir},
		opRename:          {"RENAME", header + 8, serveRename},
		opLink:            {"LINK", sizeOf[fuse.LinkIn](), serveLink},
		opOpen:            {"OPEN", sizeOf[fuse.OpenIn](), serveOpen},
		opRead:            {"READ", sizeOf[fuse.ReadIn](), serveRead},
		opWrite:           {"WRITE", sizeOf[fuse.WriteIn](), serveWrite},
		opStatfs:          {"STATFS", header, serveStatfs},
		opRelease:         {"RELEASE", sizeOf[fuse.ReleaseIn](), serveRelease},
		opFsync:           {"FSYNC", sizeOf[fuse.FsyncIn](), serveFsync},
		opSetxattr:        {"SETXATTR", header + 8, serveSetxattr},
		opGetxattr:        {"GETXATTR", sizeOf[fuse.GetXAttrIn](), serveGetxattr},
		opListxattr:       {"LISTXATTR", sizeOf[fuse.GetXAttrIn](), serveListxattr},
		opRemovexattr:     {"REMOVEXATTR", header, serveRemovexattr},
		opFlush:           {"FLUSH", sizeOf[fuse.FlushIn](), serveFlush},
		opInit:            {"INIT", header + 16, serveInit},
		opOpendir:         {"OPENDIR", sizeOf[fuse.OpenIn](), serveOpendir},
		opReaddir:         {"READDIR", sizeOf[fuse.ReadIn](), serveReaddir},
		opReleasedir:      {"RELEASEDIR", sizeOf[fuse.ReleaseIn](), serveReleasedir},
		opFsyncdir:        {"FSYNCDIR", sizeOf[fuse.FsyncIn](), serveFsyncdir},
		opAccess:          {"ACCESS", sizeOf[fuse.AccessIn](), serveAccess},
		opCreate:          {"CREATE", sizeOf[fuse.CreateIn](), serveCreate},
		opInterrupt:       {"INTERRUPT", header, nil},
		opDestroy:         {"DESTROY", header, serveDestroy},
		opIoctl:           {"IOCTL", sizeOf[fuse.IoctlIn](), serveIoctl},
		opBatchForget:     {"BATCH_FORGET", header + 8, serveBatchForget},
		opFallocate:       {"FALLOCATE", sizeOf[fuse.FallocateIn](), serveFallocate},
		opReaddirplus:     {"READDIRPLUS", sizeOf[fuse.ReadIn](), serveReaddirplus},
		opRename2:         {"RENAME2", sizeOf[fuse.RenameIn](), serveRename2},
		opLseek:           {"LSEEK", sizeOf[fuse.LseekIn](), serveLseek},
		opCopyFileRange:   {"COPY_FILE_RANGE", sizeOf[fuse.CopyFileRangeIn](), serveCopyFileRange},
		opSyncfs:          {"SYNCFS", header, serveSyncfs},
		opTmpfile:         {"TMPFILE", sizeOf[fuse.CreateIn](), serveTmpfile},
		opStatx:           {"STATX", sizeOf[fuse.StatxIn](), serveStatx},
		opCopyFileRange64: {"COPY_FILE_RANGE_64", sizeOf[fuse.CopyFileRangeIn](), serveCopyFileRange64},
	}
}

func opName(op uint32) string {
	if op < maxOpcode && ops[op].name != "" {
		return ops[op].name
	}
	return "opcode " + strconv.Itoa(int(op))
}
