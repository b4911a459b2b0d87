package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// DefaultSeccomp is the profile that docker gives a container when none is
// asked for, in docker's JSON form.
func DefaultSeccomp() []byte {
	profile, err := json.Marshal(seccomp.DefaultProfile())
	if err != nil {
		// The profile is a constant of the module and has only plain fields.
		return nil
	}
	return profile
}

// seccompPolicy is what a profile comes down to on one machine, for one set of
// capabilities.
type seccompPolicy struct {
	// archs are libseccomp's names: the machine's own one and those that its
	// kernel runs too.
	archs    []specs.Arch
	fallback uint32 // the filter's answer to all that no rule speaks of
	// newer is the answer to system calls with numbers above all of the
	// profile's.
	newer uint32
	rules []seccompRule
}

// seccompRule is the answer to some system calls when all conditions hold.
type seccompRule struct {
	names      []string
	answer     uint32
	conditions []specs.LinuxSeccompArg
}

// nativeArch are the machines that filters can be made for.
var nativeArch = map[string]specs.Arch{"amd64": specs.ArchX86_64, "arm64": specs.ArchAARCH64}

// seccompMachine is what a profile's rules are chosen by.
type seccompMachine struct {
	goarch       string
	kernel       [2]int
	capabilities []string
}

// parseSeccomp reads a profile and picks what counts on the machine. The
// answer is nil for a profile that filters nothing.
func parseSeccomp(profile []byte, m seccompMachine) (*seccompPolicy, error) {
	var p seccomp.Seccomp
	if err := json.Unmarshal(profile, &p); err != nil {
		return nil, fmt.Errorf("seccomp profile: %w", err)
	}
	if p.DefaultAction == "" && len(p.Syscalls) == 0 {
		return nil, nil
	}
	archs, err := m.archs(&p)
	if err != nil {
		return nil, err
	}
	fallback, err := seccompAnswer(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, fmt.Errorf("seccomp profile: defaultAction: %w", err)
	}
	policy := &seccompPolicy{archs: archs, fallback: fallback, newer: newerAnswer(fallback)}
	for i, call := range p.Syscalls {
		rules, err := m.rules(call)
		if err != nil {
			return nil, fmt.Errorf("seccomp profile: rule %d of syscalls: %w", i+1, err)
		}
		policy.rules = append(policy.rules, rules...)
	}
	return policy, nil
}

// newerAnswer is ENOSYS in place of a refusal: C libraries try a new system
// call first and fall back only when the kernel doesn't know it. runc answers
// the same (libcontainer/seccomp/patchbpf).
func newerAnswer(fallback uint32) uint32 {
	switch fallback & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG:
		return fallback
	}
	return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
}

func (m seccompMachine) archs(p *seccomp.Seccomp) ([]specs.Arch, error) {
	native, ok := nativeArch[m.goarch]
	if !ok {
		return nil, fmt.Errorf("seccomp filters can't be made for %s, only for amd64 and arm64; "+
			"--security-opt seccomp=unconfined runs without one", m.goarch)
	}
	if len(p.Architectures) > 0 && len(p.ArchMap) > 0 {
		return nil, errors.New("seccomp profile: it has both architectures and archMap; leave one of them")
	}
	// libseccomp puts the machine's own in, whatever is listed.
	archs := []specs.Arch{native}
	listed := p.Architectures
	for _, a := range p.ArchMap {
		if a.Arch == native {
			listed = a.SubArches
		}
	}
	for _, a := range listed {
		if !slices.Contains(archs, a) {
			archs = append(archs, a)
		}
	}
	return archs, nil
}

// rules are those of one entry, none when it isn't meant for this machine.
func (m seccompMachine) rules(call *seccomp.Syscall) ([]seccompRule, error) {
	if call == nil {
		return nil, errors.New("it is null")
	}
	names := call.Names
	//lint:ignore SA1019 profiles that were written for docker before 1.13 have it
	if old := call.Name; old != "" {
		if len(names) > 0 {
			return nil, errors.New("it has both name and names; leave one of them")
		}
		names = []string{old}
	}
	if len(names) == 0 {
		return nil, errors.New("it names no system calls")
	}
	answer, err := seccompAnswer(call.Action, call.ErrnoRet)
	if err != nil {
		return nil, err
	}
	for _, c := range call.Args {
		if err := checkCondition(c); err != nil {
			return nil, err
		}
	}
	if m.excluded(call.Excludes) || !m.included(call.Includes) {
		return nil, nil
	}
	return splitRule(seccompRule{names: names, answer: answer, conditions: call.Args}), nil
}

// splitRule makes a rule of each condition when two of them are about the same
// argument, so that one that holds suffices. libseccomp can't say "and" of one
// argument, and runc has always read profiles so.
func splitRule(r seccompRule) (rules []seccompRule) {
	seen := map[uint]bool{}
	for _, c := range r.conditions {
		seen[c.Index] = true
	}
	if len(seen) == len(r.conditions) {
		return []seccompRule{r}
	}
	for _, c := range r.conditions {
		rules = append(rules, seccompRule{names: r.names, answer: r.answer, conditions: []specs.LinuxSeccompArg{c}})
	}
	return rules
}

// excluded holds when any of the words does.
func (m seccompMachine) excluded(f *seccomp.Filter) bool {
	return f != nil && (slices.Contains(f.Arches, m.goarch) ||
		slices.ContainsFunc(f.Caps, m.has) ||
		f.MinKernel != nil && m.atLeast(f.MinKernel))
}

// included holds when all of the words do.
func (m seccompMachine) included(f *seccomp.Filter) bool {
	return f == nil || (len(f.Arches) == 0 || slices.Contains(f.Arches, m.goarch)) &&
		!slices.ContainsFunc(f.Caps, func(c string) bool { return !m.has(c) }) &&
		(f.MinKernel == nil || m.atLeast(f.MinKernel))
}

func (m seccompMachine) has(capability string) bool {
	return slices.Contains(m.capabilities, capability)
}

func (m seccompMachine) atLeast(v *seccomp.KernelVersion) bool {
	want := []int{int(v.Kernel), int(v.Major)}
	return slices.Compare(m.kernel[:], want) >= 0
}

func checkCondition(c specs.LinuxSeccompArg) error {
	if c.Index > 5 {
		return fmt.Errorf("there is no argument %d: system calls have those from 0 to 5", c.Index)
	}
	switch c.Op {
	case specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual,
		specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual:
		return nil
	}
	return fmt.Errorf("its op is %q, and SCMP_CMP_EQ, NE, LT, LE, GE, GT or MASKED_EQ is expected", c.Op)
}

// maxErrno is the kernel's MAX_ERRNO, which it cuts larger numbers to
// (kernel/seccomp.c, __seccomp_filter).
const maxErrno = 4095

// seccompAnswer is what a filter returns for an action (seccomp(2)).
func seccompAnswer(action specs.LinuxSeccompAction, errnoRet *uint) (uint32, error) {
	value := uint32(unix.EPERM)
	if errnoRet != nil {
		if *errnoRet > maxErrno {
			return 0, fmt.Errorf("the errno %d: they end at %d", *errnoRet, maxErrno)
		}
		value = uint32(*errnoRet)
	}
	switch action {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | value, nil
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | value, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActNotify:
		return 0, errors.New("SCMP_ACT_NOTIFY needs an agent that answers, and there is none: use SCMP_ACT_ERRNO or SCMP_ACT_ALLOW")
	}
	return 0, fmt.Errorf("there is no action %q: SCMP_ACT_ALLOW, ERRNO, KILL, KILL_PROCESS, KILL_THREAD, LOG, TRACE and TRAP are known", action)
}

// compileSeccomp makes the filter of a profile in docker's JSON form, for a
// program with these capabilities. Names that no kernel here knows are left
// out. No instructions are the filter of a profile that filters nothing.
func compileSeccomp(profile []byte, capabilities []string, kernel [2]int) ([]unix.SockFilter, error) {
	return compileSeccompFor(profile, seccompMachine{runtime.GOARCH, kernel, capabilities})
}
