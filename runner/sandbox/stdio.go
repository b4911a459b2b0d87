package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func stdioSteps(p *Process) []Step {
	text := "standard input, output and error are the caller's"
	if p.TTY {
		text = "standard input, output and error are the terminal"
	}
	return []Step{program("stdio", text, func(in *inside) ([]call, error) { return in.stdioCalls(), nil })}
}

// stdioCalls put the descriptors in their places. They are given to the user,
// so that a program that isn't root's may open /dev/stdout anew.
func (in *inside) stdioCalls() (calls []call) {
	for place, f := range in.stdio {
		if chownable(int(f.Fd())) {
			calls = append(calls, newCall("own stdio", unix.SYS_FCHOWN, f.Fd(), uintptr(in.process.UID), ^uintptr(0)).optional())
		}
		calls = append(calls, newCall(fmt.Sprintf("descriptor %d", place), unix.SYS_DUP3, f.Fd(), uintptr(place), 0).keeping(f))
	}
	return calls
}

// chownable are pipes, which nobody else has by name; files, sockets and the
// host's devices keep their owners.
func chownable(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

func descriptorSteps() []Step {
	return []Step{program("descriptors", "all but 0, 1 and 2 are closed at exec", func(*inside) ([]call, error) {
		return []call{newCall("close what was inherited", unix.SYS_CLOSE_RANGE, 3, uintptr(^uint32(0)), unix.CLOSE_RANGE_CLOEXEC).optional()}, nil
	})}
}
