package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// compileFilter makes the filter of a program outside of the sandbox, where
// time and memory are not short.
func compileFilter(p *Process) ([]byte, error) {
	if len(p.Seccomp) == 0 {
		return nil, nil
	}
	kernel, err := kernelVersion()
	if err != nil {
		return nil, err
	}
	filter, err := compileSeccomp(p.Seccomp, p.Capabilities, kernel)
	if err != nil || len(filter) == 0 {
		return nil, err
	}
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&filter[0])), len(filter)*filterSize)...), nil
}

const filterSize = int(unsafe.Sizeof(unix.SockFilter{}))

// kernelVersion is the first two numbers of uname(2)'s release.
func kernelVersion() (v [2]int, err error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return v, err
	}
	release := unix.ByteSliceToString(name.Release[:])
	if _, err := fmt.Sscanf(release, "%d.%d", &v[0], &v[1]); err != nil {
		return v, fmt.Errorf("the kernel's version %q: %w", release, err)
	}
	return v, nil
}

// filterCalls load the filter last of all but execve, so that a profile need
// allow nothing for our sake.
func (in *inside) filterCalls() ([]call, error) {
	n := len(in.filter) / filterSize
	if n == 0 {
		return nil, nil // a profile that filters nothing
	}
	instructions := make([]unix.SockFilter, n)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&instructions[0])), n*filterSize), in.filter)
	program := &unix.SockFprog{Len: uint16(n), Filter: &instructions[0]}
	// A filter used to switch speculative store bypass off as well, which costs
	// more than the filter; the flag says not to, as runc does and as the kernel
	// itself does from 5.16 on.
	load := newCall("load the filter (it needs no_new_privs or CAP_SYS_ADMIN)", unix.SYS_SECCOMP,
		unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, pointer(program)).keeping(program, instructions)
	return []call{load}, nil
}
