package sandbox

import "syscall"

// rawClone is clone(2), in the order of arguments of arm64 (all others are 0).
//
//go:norace
//go:nosplit
func rawClone(flags uintptr) (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	return pid, errno
}
