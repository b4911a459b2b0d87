package hostfs

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// feature remembers whether a system call exists here. It is found by a call
// on the descriptor -1, which a kernel that has it answers with EBADF. Looking
// at the errno of a real call instead would take the EPERM of a file for the
// EPERM with which older container seccomp profiles answer unknown calls.
type feature struct {
	state atomic.Int32
	trap  uintptr
}

const (
	featureUnknown = iota
	featurePresent
	featureMissing
)

var (
	hasOpenat2   = feature{trap: unix.SYS_OPENAT2}
	hasFchmodat2 = feature{trap: unix.SYS_FCHMODAT2}
	// getxattrat and its three siblings came together in Linux 6.13.
	hasXattrat = feature{trap: unix.SYS_GETXATTRAT}
)

func (f *feature) present() bool {
	if s := f.state.Load(); s != featureUnknown {
		return s == featurePresent
	}
	s := int32(featurePresent)
	if err := f.probe(); err == unix.ENOSYS || err == unix.EPERM {
		s = featureMissing
	}
	f.state.Store(s)
	return s == featurePresent
}

func (f *feature) probe() error {
	switch f.trap {
	case unix.SYS_OPENAT2:
		_, err := openat2(-1, "x", unix.O_PATH, 0)
		return err
	case unix.SYS_GETXATTRAT:
		_, err := xattrat(unix.SYS_GETXATTRAT, -1, "x", 0, "user.x", nil, 0)
		return err
	}
	_, err := callName(f.trap, -1, "x", 0, 0, 0)
	return err
}
