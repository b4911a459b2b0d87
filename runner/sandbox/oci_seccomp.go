package sandbox

import (
	"encoding/json"
	"fmt"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// ociSeccomp is what of a profile in docker's form counts on a machine, in the
// form of config-linux.md, which has no conditions. The answer is nil for a
// profile that filters nothing.
func ociSeccomp(profile []byte, m seccompMachine) (*specs.LinuxSeccomp, error) {
	if len(profile) == 0 {
		return nil, nil
	}
	policy, err := parseSeccomp(profile, m) // and checks all of it
	if err != nil || policy == nil {
		return nil, err
	}
	var p seccomp.Seccomp
	if err := json.Unmarshal(profile, &p); err != nil {
		return nil, fmt.Errorf("seccomp profile: %w", err)
	}
	out := &specs.LinuxSeccomp{DefaultAction: p.DefaultAction, DefaultErrnoRet: p.DefaultErrnoRet, Architectures: policy.archs}
	for _, call := range p.Syscalls {
		if m.excluded(call.Excludes) || !m.included(call.Includes) {
			continue
		}
		names := call.Names
		//lint:ignore SA1019 profiles that were written for docker before 1.13 have it
		if old := call.Name; old != "" {
			names = []string{old}
		}
		out.Syscalls = append(out.Syscalls, specs.LinuxSyscall{Names: names, Action: call.Action, ErrnoRet: call.ErrnoRet, Args: call.Args})
	}
	return out, nil
}
