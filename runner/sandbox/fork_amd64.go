package sandbox

import "syscall"

// rawClone is clone(2), whose arguments have another order on each machine.
//
//go:norace
//go:nosplit
func rawClone(flags uintptr) (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	return pid, errno
}
