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
	opGetlk           = 31
	opSetlk           = 32
	opSetlkw          = 33
	opAccess          = 34
	opCreate          = 35
	opInterrupt       = 36
	opBmap            = 37
	opDestroy         = 38
	opIoctl           = 39
	opPoll            = 40
	opNotifyReply     = 41
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

// op is how one kind of request is served. Requests without a handler get
// ENOSYS, at which the kernel does the thing itself (locks, BMAP, POLL) or
// stops asking (INTERRUPT: fuse_dev_do_write sets no_interrupt).
type op struct {
	name string
	// size is that of the structure at the request's begin, its header
	// included, and names the number of names behind it.
	size, names int
	serve       func(c *call) fuse.Status
	// silent requests get no reply.
	silent bool
}

func sizeOf[T any]() int {
	var t T
	return int(unsafe.Sizeof(t))
}

var ops [maxOpcode]op

// The table is filled here since the handlers refer to it.
func init() {
	header := sizeOf[fuse.InHeader]()
	ops = [maxOpcode]op{
		opLookup:          {name: "LOOKUP", size: header, names: 1, serve: serveLookup},
		opForget:          {name: "FORGET", size: sizeOf[fuse.ForgetIn](), serve: serveForget, silent: true},
		opGetattr:         {name: "GETATTR", size: sizeOf[fuse.GetAttrIn](), serve: serveGetattr},
		opSetattr:         {name: "SETATTR", size: sizeOf[fuse.SetAttrIn](), serve: serveSetattr},
		opReadlink:        {name: "READLINK", size: header, serve: serveReadlink},
		opSymlink:         {name: "SYMLINK", size: header, names: 2, serve: serveSymlink},
		opMknod:           {name: "MKNOD", size: sizeOf[fuse.MknodIn](), names: 1, serve: serveMknod},
		opMkdir:           {name: "MKDIR", size: sizeOf[fuse.MkdirIn](), names: 1, serve: serveMkdir},
		opUnlink:          {name: "UNLINK", size: header, names: 1, serve: serveUnlink},
		opRmdir:           {name: "RMDIR", size: header, names: 1, serve: serveRmdir},
		opRename:          {name: "RENAME", size: header + 8, names: 2, serve: serveRename},
		opLink:            {name: "LINK", size: sizeOf[fuse.LinkIn](), names: 1, serve: serveLink},
		opOpen:            {name: "OPEN", size: sizeOf[fuse.OpenIn](), serve: serveOpen},
		opRead:            {name: "READ", size: sizeOf[fuse.ReadIn](), serve: serveRead},
		opWrite:           {name: "WRITE", size: sizeOf[fuse.WriteIn](), serve: serveWrite},
		opStatfs:          {name: "STATFS", size: header, serve: serveStatfs},
		opRelease:         {name: "RELEASE", size: sizeOf[fuse.ReleaseIn](), serve: serveRelease},
		opFsync:           {name: "FSYNC", size: sizeOf[fuse.FsyncIn](), serve: serveFsync},
		opSetxattr:        {name: "SETXATTR", size: header + 8, names: 1, serve: serveSetxattr},
		opGetxattr:        {name: "GETXATTR", size: sizeOf[fuse.GetXAttrIn](), names: 1, serve: serveGetxattr},
		opListxattr:       {name: "LISTXATTR", size: sizeOf[fuse.GetXAttrIn](), serve: serveListxattr},
		opRemovexattr:     {name: "REMOVEXATTR", size: header, names: 1, serve: serveRemovexattr},
		opFlush:           {name: "FLUSH", size: sizeOf[fuse.FlushIn](), serve: serveFlush},
		opInit:            {name: "INIT", size: header + 16, serve: serveInit},
		opOpendir:         {name: "OPENDIR", size: sizeOf[fuse.OpenIn](), serve: serveOpendir},
		opReaddir:         {name: "READDIR", size: sizeOf[fuse.ReadIn](), serve: serveReaddir},
		opReleasedir:      {name: "RELEASEDIR", size: sizeOf[fuse.ReleaseIn](), serve: serveReleasedir},
		opFsyncdir:        {name: "FSYNCDIR", size: sizeOf[fuse.FsyncIn](), serve: serveFsyncdir},
		opGetlk:           {name: "GETLK", size: header},
		opSetlk:           {name: "SETLK", size: header},
		opSetlkw:          {name: "SETLKW", size: header},
		opAccess:          {name: "ACCESS", size: sizeOf[fuse.AccessIn](), serve: serveAccess},
		opCreate:          {name: "CREATE", size: sizeOf[fuse.CreateIn](), names: 1, serve: serveCreate},
		opInterrupt:       {name: "INTERRUPT", size: header},
		opBmap:            {name: "BMAP", size: header},
		opDestroy:         {name: "DESTROY", size: header, serve: serveDestroy},
		opIoctl:           {name: "IOCTL", size: sizeOf[fuse.IoctlIn](), serve: serveIoctl},
		opPoll:            {name: "POLL", size: header},
		opNotifyReply:     {name: "NOTIFY_REPLY", size: header, silent: true},
		opBatchForget:     {name: "BATCH_FORGET", size: header + 8, serve: serveBatchForget, silent: true},
		opFallocate:       {name: "FALLOCATE", size: sizeOf[fuse.FallocateIn](), serve: serveFallocate},
		opReaddirplus:     {name: "READDIRPLUS", size: sizeOf[fuse.ReadIn](), serve: serveReaddirplus},
		opRename2:         {name: "RENAME2", size: sizeOf[fuse.RenameIn](), names: 2, serve: serveRename2},
		opLseek:           {name: "LSEEK", size: sizeOf[fuse.LseekIn](), serve: serveLseek},
		opCopyFileRange:   {name: "COPY_FILE_RANGE", size: sizeOf[fuse.CopyFileRangeIn](), serve: serveCopyFileRange},
		opSyncfs:          {name: "SYNCFS", size: header, serve: serveSyncfs},
		opTmpfile:         {name: "TMPFILE", size: sizeOf[fuse.CreateIn](), serve: serveTmpfile},
		opStatx:           {name: "STATX", size: sizeOf[fuse.StatxIn](), serve: serveStatx},
		opCopyFileRange64: {name: "COPY_FILE_RANGE_64", size: sizeOf[fuse.CopyFileRangeIn](), serve: serveCopyFileRange64},
	}
}

func opName(op uint32) string {
	if op < maxOpcode && ops[op].name != "" {
		return ops[op].name
	}
	return "opcode " + strconv.Itoa(int(op))
}
