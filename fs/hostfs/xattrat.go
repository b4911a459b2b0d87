package hostfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// xattrOp is one of the four operations on extended attributes.
type xattrOp int

const (
	xattrGet xattrOp = iota
	xattrList
	xattrSet
	xattrRemove
)

var xattratTrap = [...]uintptr{
	xattrGet:    unix.SYS_GETXATTRAT,
	xattrList:   unix.SYS_LISTXATTRAT,
	xattrSet:    unix.SYS_SETXATTRAT,
	xattrRemove: unix.SYS_REMOVEXATTRAT,
}

// xattrArgs is struct xattr_args of include/uapi/linux/xattr.h as a 64-bit
// machine has it: value is a pointer here, so that it moves with its target.
type xattrArgs struct {
	value unsafe.Pointer
	size  uint32
	flags uint32
}

// pointers64 is false where xattrArgs hasn't the kernel's layout.
const pointers64 = unsafe.Sizeof(uintptr(0)) == 8

// xattrCall finds the way to the object: the *at calls of 6.13, else a path
// through /proc/self/fd.
func xattrCall(op xattrOp, dirfd int, name, attr string, buf []byte, flags int) (int, error) {
	if !pointers64 || !hasXattrat.present() {
		return xattrByPath(op, dirfd, name, attr, buf, flags)
	}
	if name != "" {
		return xattrat(xattratTrap[op], dirfd, name, unix.AT_SYMLINK_NOFOLLOW, attr, buf, flags)
	}
	// With AT_EMPTY_PATH the kernel takes the descriptor by fdget (fs/xattr.c,
	// path_getxattrat), which says EBADF to O_PATH: the magic link does it.
	n, err := xattrat(xattratTrap[op], dirfd, "", unix.AT_EMPTY_PATH, attr, buf, flags)
	if err != unix.EBADF {
		return n, err
	}
	proc, perr := procFD()
	if perr != nil {
		return 0, err
	}
	var pbuf [procNameSize]byte
	n, err = xattrat(xattratTrap[op], proc, procName(&pbuf, dirfd), 0, attr, buf, flags)
	return n, noProc(err)
}

// xattrat makes one of the four calls. List alone has no attribute name, and
// remove no buffer.
func xattrat(trap uintptr, dirfd int, name string, at uintptr, attr string, buf []byte, flags int) (int, error) {
	var nbuf, abuf [nameSize]byte
	n, err := cname(&nbuf, name)
	if err != nil {
		return 0, err
	}
	a, err := cname(&abuf, attr)
	if err != nil {
		return 0, err
	}
	args := xattrArgs{value: unsafe.Pointer(unsafe.SliceData(buf)), size: uint32(len(buf)), flags: uint32(flags)}
	for {
		var r uintptr
		var e unix.Errno
		switch trap {
		case unix.SYS_LISTXATTRAT:
			r, _, e = unix.Syscall6(trap, uintptr(dirfd), uintptr(unsafe.Pointer(n)), at,
				uintptr(args.value), uintptr(len(buf)), 0)
		case unix.SYS_REMOVEXATTRAT:
			r, _, e = unix.Syscall6(trap, uintptr(dirfd), uintptr(unsafe.Pointer(n)), at,
				uintptr(unsafe.Pointer(a)), 0, 0)
		default:
			r, _, e = unix.Syscall6(trap, uintptr(dirfd), uintptr(unsafe.Pointer(n)), at,
				uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args))
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
