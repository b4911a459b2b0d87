package hostfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// statxMask is what every Statx asks for.
const statxMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME | unix.STATX_MNT_ID

// Statx fills st with the attributes of name. Automounts aren't triggered.
func Statx(dirfd int, name string, st *unix.Statx_t) error {
	var buf [nameSize]byte
	p, err := cname(&buf, name)
	if err != nil {
		return err
	}
	flags := nofollow(name) | unix.AT_NO_AUTOMOUNT
	for {
		_, _, e := unix.Syscall6(unix.SYS_STATX, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
			flags, statxMask, uintptr(unsafe.Pointer(st)), 0)
		if e != unix.EINTR {
			return answer(e)
		}
	}
}

// Statfs fills st with the numbers of the file system that fd is on.
func Statfs(fd int, st *unix.Statfs_t) error {
	return again(func() error { return unix.Fstatfs(fd, st) })
}
