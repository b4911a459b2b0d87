package index

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// magic begins every index; its last digit is the format's version.
const magic = "unionfs index 1\n"

// Where things stand in the header.
const (
	headerSize = 96

	atRootIno   = 16 // u64
	atRootCtime = 24 // i64 seconds, u32 nanoseconds
	atRootMtime = 40 // the same
	atDirs      = 56 // u32: how many
	atEntries   = 60 // u32
	atTextLen   = 64 // u64
	atSum       = 72 // u32: CRC-32C of all behind the header
)

// A directory: first entry, how many, flags.
const (
	dirSize    = 12
	atFirst    = 0
	atCount    = 4
	atDirFlags = 8
)

const (
	flagOpaque     = 1 << 0
	flagXWhiteouts = 1 << 1
)

// An entry.
const (
	entrySize = 128

	atIno       = 0
	atSize      = 8
	atBlocks    = 16
	atSeconds   = 24 // atime, mtime, ctime, btime: i64 each
	atNanos     = 56 // the same: u32 each
	atNlink     = 72
	atUID       = 76
	atGID       = 80
	atMajor     = 84
	atMinor     = 88
	atName      = 92  // u32: offset in the text
	atNameLen   = 96  // u16
	atMode      = 98  // u16
	atDir       = 100 // u32: the directory's number, 0 for all else
	atTarget    = 104 // u32: offset in the text
	atTargetLen = 108 // u16
	atClass     = 110 // u8
	atOf        = 111 // u8: how many bytes of the name come before what it hides
	atXattrs    = 112 // u32: offset in the text
	atXattrLen  = 116 // u32
	atBits      = 120 // u32: which statx fields there are
)

var order = binary.LittleEndian

// stamp is what tells one tree from another: its root's inode number, and
// times that change with it.
type stamp struct {
	ino          uint64
	ctime, mtime unix.StatxTimestamp
}

func stampOf(st *unix.Statx_t) stamp {
	ctime, mtime := st.Ctime, st.Mtime
	return stamp{st.Ino, unix.StatxTimestamp{Sec: ctime.Sec, Nsec: ctime.Nsec}, unix.StatxTimestamp{Sec: mtime.Sec, Nsec: mtime.Nsec}}
}

func (s stamp) put(header []byte) {
	order.PutUint64(header[atRootIno:], s.ino)
	putTime(header[atRootCtime:], s.ctime)
	putTime(header[atRootMtime:], s.mtime)
}

func readStamp(header []byte) stamp {
	return stamp{order.Uint64(header[atRootIno:]), readTime(header[atRootCtime:]), readTime(header[atRootMtime:])}
}

func putTime(b []byte, t unix.StatxTimestamp) {
	order.PutUint64(b, uint64(t.Sec))
	order.PutUint32(b[8:], t.Nsec)
}

func readTime(b []byte) unix.StatxTimestamp {
	return unix.StatxTimestamp{Sec: int64(order.Uint64(b)), Nsec: order.Uint32(b[8:])}
}
