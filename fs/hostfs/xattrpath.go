package hostfs

import (
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls before 6.13 take a path and no directory. Those that begin with l
// don't follow the last link of it.
var (
	xattrTrap  = [...]uintptr{xattrGet: unix.SYS_GETXATTR, xattrList: unix.SYS_LISTXATTR, xattrSet: unix.SYS_SETXATTR, xattrRemove: unix.SYS_REMOVEXATTR}
	lxattrTrap = [...]uintptr{xattrGet: unix.SYS_LGETXATTR, xattrList: unix.SYS_LLISTXATTR, xattrSet: unix.SYS_LSETXATTR, xattrRemove: unix.SYS_LREMOVEXATTR}
)

// xattrByPath goes through /proc/self/fd. The descriptor itself is reached by
// following its magic link, a name below it by not following that name.
func xattrByPath(op xattrOp, dirfd int, name, attr string, buf []byte, flags int) (int, error) {
	path, trap := "/proc/self/fd/"+strconv.Itoa(dirfd), xattrTrap[op]
	if dirfd == unix.AT_FDCWD {
		path = "."
	}
	if name != "" {
		path, trap = path+"/"+name, lxattrTrap[op]
	}
	n, err := xattrPath(op, trap, path, attr, buf, flags)
	if name == "" {
		err = noProc(err)
	}
	return n, err
}

func xattrPath(op xattrOp, trap uintptr, path, attr string, buf []byte, flags int) (int, error) {
	var pbuf, abuf [nameSize]byte
	p, err := cname(&pbuf, path)
	if err != nil {
		return 0, err
	}
	a, err := cname(&abuf, attr)
	if err != nil {
		return 0, err
	}
	value := unsafe.Pointer(unsafe.SliceData(buf))
	for {
		var r uintptr
		var e unix.Errno
		if op == xattrList {
			r, _, e = unix.Syscall(trap, uintptr(unsafe.Pointer(p)), uintptr(value), uintptr(len(buf)))
		} else {
			r, _, e = unix.Syscall6(trap, uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(a)),
				uintptr(value), uintptr(len(buf)), uintptr(flags), 0)
		}
		switch {
		case e == unix.EINTR:
		case e != 0:
			return 0, e
		default:
			return int(r), nil
		}
	}
}
