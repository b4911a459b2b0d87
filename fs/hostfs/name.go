package hostfs

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nameSize holds NAME_MAX bytes and the NUL: longer paths go to the heap.
const nameSize = 256

// cname copies name, with a NUL, into buf when it fits there. The result lives
// as long as buf, so that callers keep both on their stack.
func cname(buf *[nameSize]byte, name string) (*byte, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return nil, unix.EINVAL
	}
	if len(name) < nameSize {
		n := copy(buf[:], name)
		buf[n] = 0
		return &buf[0], nil
	}
	long := make([]byte, len(name)+1)
	copy(long, name)
	return &long[0], nil
}

// answer turns an errno into what our callers see.
func answer(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// callName makes a call whose arguments are a directory, a name below it, and
// up to three integers.
func callName(trap uintptr, dirfd int, name string, a, b, c uintptr) (uintptr, error) {
	var buf [nameSize]byte
	p, err := cname(&buf, name)
	if err != nil {
		return 0, err
	}
	for {
		r, _, e := unix.Syscall6(trap, uintptr(dirfd), uintptr(unsafe.Pointer(p)), a, b, c, 0)
		if e != unix.EINTR {
			return r, answer(e)
		}
	}
}

// callNames makes a call about two names, such as linkat and renameat2.
func callNames(trap uintptr, olddir int, oldname string, newdir int, newname string, flags uintptr) error {
	var oldbuf, newbuf [nameSize]byte
	oldp, err := cname(&oldbuf, oldname)
	if err != nil {
		return err
	}
	newp, err := cname(&newbuf, newname)
	if err != nil {
		return err
	}
	for {
		_, _, e := unix.Syscall6(trap, uintptr(olddir), uintptr(unsafe.Pointer(oldp)),
			uintptr(newdir), uintptr(unsafe.Pointer(newp)), flags, 0)
		if e != unix.EINTR {
			return answer(e)
		}
	}
}

// nofollow gives the AT_ flags that address name and nothing behind it.
func nofollow(name string) uintptr {
	if name == "" {
		return unix.AT_SYMLINK_NOFOLLOW | unix.AT_EMPTY_PATH
	}
	return unix.AT_SYMLINK_NOFOLLOW
}

// again repeats call while a signal interrupts it.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
