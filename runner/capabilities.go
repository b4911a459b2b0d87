package runner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/capability"
)

// defaultCapabilities are those that docker gives.
var defaultCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// allCapabilities are all that this program knows by name, sorted.
var allCapabilities = func() []string {
	var out []string
	for _, c := range capability.ListKnown() {
		out = append(out, "CAP_"+strings.ToUpper(c.String()))
	}
	slices.Sort(out)
	return out
}()

// capabilities are those of a container: docker's rules, in which "ALL" stands
// for all, and a capability that is added stays when ALL are dropped.
func (s *Spec) capabilities() ([]string, error) {
	add, addAll, err := capabilityWords("--cap-add", s.CapAdd)
	if err != nil {
		return nil, err
	}
	drop, dropAll, err := capabilityWords("--cap-drop", s.CapDrop)
	if err != nil {
		return nil, err
	}
	base := defaultCapabilities
	switch {
	case s.Privileged || addAll:
		base = allCapabilities
	case dropAll:
		base = nil
	}
	var out []string
	for _, c := range allCapabilities {
		switch {
		case slices.Contains(drop, c) && !s.Privileged:
		case slices.Contains(base, c), slices.Contains(add, c):
			out = append(out, c)
		}
	}
	return out, nil
}

// had are those of them that this process has: other runtimes take no capability
// that they can't give, where our sandbox gives all there are.
func (f *Facts) had(names []string) (out []string) {
	for _, c := range capability.ListKnown() {
		if name := "CAP_" + strings.ToUpper(c.String()); slices.Contains(names, name) && f.Capabilities&(1<<uint(c)) != 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func capabilityWords(flag string, words []string) (names []string, all bool, err error) {
	for _, word := range words {
		name := strings.ToUpper(word)
		if name == "ALL" || name == "CAP_ALL" {
			all = true
			continue
		}
		if !strings.HasPrefix(name, "CAP_") {
			name = "CAP_" + name
		}
		if !slices.Contains(allCapabilities, name) {
			return nil, false, fmt.Errorf("%s=%s: there is no such capability (capabilities(7) lists them)", flag, word)
		}
		names = append(names, name)
	}
	return names, all, nil
}
