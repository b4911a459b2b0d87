package sandbox

import (
	"fmt"
	"strings"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// capabilityNumbers are the kernel's numbers of names such as "CAP_CHOWN".
func capabilityNumbers(names []string) (mask uint64, err error) {
	for _, name := range names {
		n, err := capabilityNumber(name)
		if err != nil {
			return 0, err
		}
		mask |= 1 << n
	}
	return mask, nil
}

func capabilityNumber(name string) (int, error) {
	short := strings.ToLower(strings.TrimPrefix(strings.ToUpper(name), "CAP_"))
	for _, c := range capability.ListKnown() {
		if c.String() == short {
			return int(c), nil
		}
	}
	return 0, fmt.Errorf("there is no capability %q (capabilities(7) lists them)", name)
}

// effectiveCapabilities are the calling thread's.
func effectiveCapabilities() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return 0
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective)
}

func permittedCapabilities() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return 0
	}
	return uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted)
}

func hasCapability(n int) bool { return effectiveCapabilities()&(1<<n) != 0 }

func boundingSteps(p *Process) []Step {
	what := "none"
	if len(p.Capabilities) > 0 {
		what = strings.Join(p.Capabilities, " ")
	}
	return []Step{program("capabilities", "bounding set: "+what, func(in *inside) ([]call, error) {
		return boundingCalls(p)
	})}
}

// boundingCalls drop what the program may never have. What root of the
// namespace may have is thereby said as well: execve gives it its bounding set.
func boundingCalls(p *Process) (calls []call, err error) {
	keep, err := capabilityNumbers(p.Capabilities)
	if err != nil {
		return nil, err
	}
	// The kernel is asked how many there are, and not /proc, which may be the
	// sandbox's.
	for n := 0; n < 64 && unix.Prctl(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0) == nil; n++ {
		if keep&(1<<n) == 0 {
			calls = append(calls, newCall("drop "+capability.Cap(n).String()+" from the bounding set",
				unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(n)))
		}
	}
	// Kernels before 4.3 have no ambient set.
	calls = append(calls, newCall("clear the ambient set", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL).optional())
	return calls, nil
}

// capsetCall gives the thread all that is permitted, and leaves nothing to be
// inherited: docker gives no inheritable capabilities (CVE-2022-24769). They
// are needed until execve, which computes what the program gets: its bounding
// set for root, nothing for anybody else.
func capsetCall() call {
	permitted := permittedCapabilities()
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := &[2]unix.CapUserData{
		{Effective: uint32(permitted), Permitted: uint32(permitted)},
		{Effective: uint32(permitted >> 32), Permitted: uint32(permitted >> 32)},
	}
	return newCall("set the capabilities", unix.SYS_CAPSET, pointer(header), pointer(data)).keeping(header, data)
}
