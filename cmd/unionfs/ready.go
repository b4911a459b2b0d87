package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// starter is the server's end towards the process that started it.
type starter struct{ pipe *os.File }

// findStarter answers the starter when this process is a server in the
// background, else nil. What startServer left in the environment is taken out
// again, so that no child of ours believes it.
func findStarter(r *request) *starter {
	back := takeStarter()
	if back == nil {
		return nil
	}
	if fuse, ok := takeDescriptor(fuseEnv); ok {
		r.config.FD = fuse
	}
	return back
}

func takeStarter() *starter {
	fd, ok := takeDescriptor(readyEnv)
	if !ok {
		return nil
	}
	takeName()
	return &starter{os.NewFile(uintptr(fd), "ready")}
}

// takeName makes ps(1) and pgrep(1) show the name that we were called by: the
// process was started from what a link of that name points at.
func takeName() {
	_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0)
}

// takeDescriptor reads a descriptor's number from the environment. The
// descriptor must be open: a stale variable of somebody else means nothing.
func takeDescriptor(name string) (int, bool) {
	fd, err := strconv.Atoi(os.Getenv(name))
	os.Unsetenv(name)
	if err != nil || fd < 3 {
		return -1, false
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return -1, false
	}
	unix.CloseOnExec(fd)
	return fd, true
}

// release lets go of everything of the caller's and then says that the mount
// answers, in this order: who waits for the end of our stderr and for our exit
// must get both. An error means that nobody waits for the mount any more.
func (s *starter) release() error {
	if err := detachOutput(); err != nil {
		return err
	}
	if _, err := s.pipe.Write([]byte{'1'}); err != nil {
		return fmt.Errorf("the mount command was ended while mounting: %w", err)
	}
	return s.pipe.Close()
}

// detachOutput puts /dev/null in the place of the caller's descriptors.
func detachOutput() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return os.NewSyscallError("dup3", err)
		}
	}
	return nil
}
