package hostfs

import (
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// procDir holds a handle of /proc/self/fd, plus one so that the zero value
// means that it isn't open. It is opened once and kept: a later chroot or a
// mount over /proc can't hide it.
var procDir atomic.Int64

// procFD answers the handle of /proc/self/fd. A failure isn't remembered, for
// /proc may be mounted later.
func procFD() (int, error) {
	if fd := procDir.Load(); fd != 0 {
		return int(fd) - 1, nil
	}
	fd, err := callName(unix.SYS_OPENAT, unix.AT_FDCWD, "/proc/self/fd",
		unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0, 0)
	if err != nil {
		return -1, err
	}
	if !procDir.CompareAndSwap(0, int64(fd)+1) {
		Close(int(fd)) // another goroutine was first
		return int(procDir.Load()) - 1, nil
	}
	return int(fd), nil
}

// procName writes the name that fd has in /proc/self/fd. It is a "magic link"
// (proc(5)): following it leads to the open object itself and nowhere else,
// not even when that object is a symlink.
// The string lives in buf, and as long as that.
func procName(buf *[procNameSize]byte, fd int) string {
	b := strconv.AppendInt(buf[:0], int64(fd), 10)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// procNameSize holds any int.
const procNameSize = 20

// noProc turns the ENOENT of a closed descriptor into EBADF.
func noProc(err error) error {
	if err == unix.ENOENT {
		return unix.EBADF
	}
	return err
}

// Reopen opens the object of fd, which may be O_PATH, once more: with a file
// offset and an access mode of its own. An O_PATH descriptor of a symlink
// gives ELOOP.
func Reopen(fd int, flags int) (int, error) {
	flags |= unix.O_CLOEXEC | unix.O_LARGEFILE
	dir, err := procFD()
	if err != nil {
		// Without /proc a directory can still be named by its own dot.
		return openat(fd, ".", flags&^unix.O_NOFOLLOW)
	}
	// O_NOFOLLOW would refuse the magic link.
	var buf [procNameSize]byte
	n, err := openat(dir, procName(&buf, fd), flags&^unix.O_NOFOLLOW)
	return n, noProc(err)
}

// openat is openat(2) that follows links: for names of ours alone.
func openat(dirfd int, name string, flags int) (int, error) {
	fd, err := callName(unix.SYS_OPENAT, dirfd, name, uintptr(flags), 0, 0)
	if err != nil {
		return -1, err
	}
	return int(fd), nil
}
