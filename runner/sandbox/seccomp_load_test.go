package sandbox

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loadSeccomp puts the filter on the calling thread, which must be locked, as a
// script does it (filterCalls) in a sandbox. It needs no_new_privs or
// CAP_SYS_ADMIN in the thread's user namespace.
func loadSeccomp(filter []unix.SockFilter) error {
	if len(filter) == 0 {
		return nil
	}
	// A filter used to switch speculative store bypass off as well, which costs
	// more than the filter; containers aren't given that (runc, and the kernel
	// itself from 5.16 on). Kernels before 4.17 don't know the flag.
	err := setFilter(filter, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW)
	if err == unix.EINVAL {
		err = setFilter(filter, 0)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("load the seccomp filter: %w (it needs no_new_privs or CAP_SYS_ADMIN)", err)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("load the seccomp filter: %w (this kernel is before 3.17 or has no CONFIG_SECCOMP_FILTER)", err)
	}
	return fmt.Errorf("load the seccomp filter: %w", err)
}

func setFilter(filter []unix.SockFilter, flags uintptr) error {
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return errno
	}
	return nil
}
