package transport

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// write sends a reply.
func write(fd int, opcode uint32, reply []byte) error {
	for {
		err := writeOnce(fd, opcode, reply)
		if err != unix.EINTR && err != unix.EAGAIN {
			return err
		}
	}
}

// writeOnce spares the scheduler's bookkeeping around a system call where the
// kernel only copies some bytes and wakes the caller (fuse_request_end). Other
// replies may do more: that to RELEASE drops an inode, which may wait.
func writeOnce(fd int, opcode uint32, reply []byte) error {
	if opcode != opLookup && opcode != opGetattr {
		_, err := unix.Write(fd, reply)
		return err
	}
	_, _, errno := syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&reply[0])), uintptr(len(reply)))
	if errno != 0 {
		return errno
	}
	return nil
}
