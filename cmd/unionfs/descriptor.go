package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fuseDescriptor reads a target of the form /dev/fd/N: a /dev/fuse descriptor
// that the caller opened and mounted, and that we inherited.
func fuseDescriptor(target string) (fd int, ok bool, err error) {
	number, ok := strings.CutPrefix(target, "/dev/fd/")
	if !ok {
		return -1, false, nil
	}
	fd, err = strconv.Atoi(number)
	if err != nil || fd < 0 {
		return -1, false, usagef("target %s: %q is not the number of a descriptor", target, number)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return -1, false, usagef("target %s: descriptor %d is not open: the caller must open /dev/fuse and pass it on", target, fd)
	}
	return fd, true, nil
}

// keepDescriptorsHome marks everything that we inherited beyond stdin, stdout
// and stderr to be closed in the server: its callers wait for the end of their
// pipes and sockets.
func keepDescriptorsHome() error {
	err := unix.CloseRange(3, ^uint(0)>>32, unix.CLOSE_RANGE_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		// close_range(2) is of Linux 5.9, the flag of 5.11.
		return keepListedHome()
	}
	return os.NewSyscallError("close_range", err)
}

func keepListedHome() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
