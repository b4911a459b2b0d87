package sandbox

import (
	"golang.org/x/sys/unix"
)

// privilegeSteps come after the change of ids, which clears the death signal
// (prctl(2), PR_SET_PDEATHSIG).
func privilegeSteps(p *Process) []Step {
	text := "dies with its parent"
	if p.NoNewPrivs {
		text += "; no new privileges"
	}
	return []Step{program("privileges", text, func(in *inside) ([]call, error) {
		calls := []call{newCall("die with the parent", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))}
		if p.NoNewPrivs {
			calls = append(calls, newCall("set no_new_privs", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		}
		return calls, nil
	})}
}

func seccompSteps(p *Process) []Step {
	if len(p.Seccomp) == 0 {
		return nil
	}
	return []Step{program("seccomp", "the filter of the profile", func(in *inside) ([]call, error) {
		return in.filterCalls()
	})}
}
