package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// rlimitNumbers are the names of docker's --ulimit and prlimit(1).
var rlimitNumbers = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
	"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK,
	"msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE,
	"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
	"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
}

func rlimitNumber(name string) (int, error) {
	short := strings.ToLower(strings.TrimPrefix(strings.ToUpper(name), "RLIMIT_"))
	if n, ok := rlimitNumbers[short]; ok {
		return n, nil
	}
	var known []string
	for name := range rlimitNumbers {
		known = append(known, name)
	}
	slices.Sort(known)
	return 0, fmt.Errorf("there is no limit %q; known are %s", name, strings.Join(known, ", "))
}

// checkRlimits refuses before anything is made what the kernel would refuse.
func checkRlimits(limits []Rlimit) error {
	for _, l := range limits {
		n, err := rlimitNumber(l.Name)
		if err != nil {
			return err
		}
		if l.Soft > l.Hard {
			return fmt.Errorf("limit %s: the soft one (%d) is above the hard one (%d)", l.Name, l.Soft, l.Hard)
		}
		var now unix.Rlimit
		if err := unix.Getrlimit(n, &now); err != nil {
			return fmt.Errorf("limit %s: %w", l.Name, err)
		}
		if l.Hard > now.Max && !hasCapability(unix.CAP_SYS_RESOURCE) {
			return fmt.Errorf("limit %s=%d can't be had: the hard limit here is %d, and raising it needs CAP_SYS_RESOURCE", l.Name, l.Hard, now.Max)
		}
	}
	return nil
}

func rlimitSteps(p *Process) (steps []Step) {
	for _, l := range p.Rlimits {
		steps = append(steps, program("limit", fmt.Sprintf("%s %d:%d", l.Name, l.Soft, l.Hard), func(*inside) ([]call, error) {
			n, err := rlimitNumber(l.Name)
			if err != nil {
				return nil, err
			}
			value := &unix.Rlimit{Cur: l.Soft, Max: l.Hard}
			return []call{newCall("set the limit "+l.Name, unix.SYS_PRLIMIT64, 0, uintptr(n), pointer(value), 0).keeping(value)}, nil
		}))
	}
	return steps
}
