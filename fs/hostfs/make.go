package hostfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mkdir makes a directory. The process's umask applies, as in Mknod and Open.
func Mkdir(dirfd int, name string, mode uint32) error {
	_, err := callName(unix.SYS_MKDIRAT, dirfd, name, uintptr(mode), 0, 0)
	return err
}

// Mknod makes a file of any type but directory and symlink; rdev is as
// unix.Mkdev gives it.
func Mknod(dirfd int, name string, mode uint32, rdev uint64) error {
	_, err := callName(unix.SYS_MKNODAT, dirfd, name, uintptr(mode), uintptr(rdev), 0)
	return err
}

// Symlink makes a symlink that says target.
func Symlink(target string, dirfd int, name string) error {
	var tbuf, nbuf [nameSize]byte
	t, err := cname(&tbuf, target)
	if err != nil {
		return err
	}
	n, err := cname(&nbuf, name)
	if err != nil {
		return err
	}
	for {
		_, _, e := unix.Syscall(unix.SYS_SYMLINKAT, uintptr(unsafe.Pointer(t)),
			uintptr(dirfd), uintptr(unsafe.Pointer(n)))
		if e != unix.EINTR {
			return answer(e)
		}
	}
}

// Readlink answers what a symlink says, of any length.
func Readlink(dirfd int, name string) (string, error) {
	var small [nameSize]byte
	n, err := readlink(dirfd, name, small[:])
	if err != nil {
		return "", err
	}
	if n < len(small) {
		return string(small[:n]), nil
	}
	// readlinkat(2) truncates silently: only a buffer that isn't filled has
	// the whole of it. File systems allow PATH_MAX, procfs magic links more.
	for size := pathMax + 1; ; size *= 4 {
		buf := make([]byte, size)
		n, err := readlink(dirfd, name, buf)
		if err != nil || n < size {
			return string(buf[:n]), err
		}
	}
}

func readlink(dirfd int, name string, dst []byte) (int, error) {
	var buf [nameSize]byte
	p, err := cname(&buf, name)
	if err != nil {
		return 0, err
	}
	for {
		n, _, e := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
			uintptr(unsafe.Pointer(&dst[0])), uintptr(len(dst)), 0, 0)
		switch {
		case e == unix.EINTR:
		case e != 0:
			return 0, e
		default:
			return int(n), nil
		}
	}
}
