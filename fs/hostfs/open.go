package hostfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Open opens name below dirfd. O_NOFOLLOW, O_CLOEXEC and O_LARGEFILE are
// added; O_NONBLOCK, which anything but a regular file or a directory needs,
// is the caller's. The name "" opens the object itself anew.
func Open(dirfd int, name string, flags int, mode uint32) (int, error) {
	if name == "" {
		return Reopen(dirfd, flags)
	}
	flags |= unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_LARGEFILE
	fd, err := callName(unix.SYS_OPENAT, dirfd, name, uintptr(flags), uintptr(mode), 0)
	if err != nil {
		return -1, err
	}
	return int(fd), nil
}

// OpenTmp makes a file without a name in the directory dirfd (O_TMPFILE);
// Link with an empty old name gives it one. flags are O_WRONLY or O_RDWR, and
// O_EXCL when it shall never get a name.
func OpenTmp(dirfd int, flags int, mode uint32) (int, error) {
	return Open(dirfd, ".", flags|unix.O_TMPFILE, mode)
}

// Close closes fd. There is nothing to do about an error: Linux has freed the
// descriptor even when it reports one (close(2)).
func Close(fd int) {
	unix.Close(fd)
}

// openat2 is the bare call; errors of it are the kernel's.
func openat2(dirfd int, path string, flags int, resolve uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC | unix.O_LARGEFILE),
		Resolve: resolve,
	}
	var buf [nameSize]byte
	p, err := cname(&buf, path)
	if err != nil {
		return -1, err
	}
	for {
		fd, _, e := unix.Syscall6(unix.SYS_OPENAT2, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
			uintptr(unsafe.Pointer(&how)), unix.SizeofOpenHow, 0, 0)
		switch {
		case e == unix.EINTR:
		case e != 0:
			return -1, e
		default:
			return int(fd), nil
		}
	}
}
