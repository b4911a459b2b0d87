package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

func hostnameSteps(s *Spec) (steps []Step) {
	if s.Hostname != "" {
		steps = append(steps, within("hostname", s.Hostname, func(*inside) error {
			return unix.Sethostname([]byte(s.Hostname))
		}))
	}
	if s.Domainname != "" {
		steps = append(steps, within("domainname", s.Domainname, func(*inside) error {
			return unix.Setdomainname([]byte(s.Domainname))
		}))
	}
	return steps
}

// sysctlNamespaces say which namespace a kernel parameter is of; writing any
// other would change the host.
var sysctlNamespaces = []struct {
	prefix string
	kind   NamespaceType
}{
	{"net.", NetNS},
	{"kernel.msg", IPCNS}, {"kernel.sem", IPCNS}, {"kernel.shm", IPCNS}, {"fs.mqueue.", IPCNS},
	{"kernel.domainname", UTSNS}, {"kernel.hostname", UTSNS},
}

func (s *Spec) checkSysctls() error {
	for _, name := range slices.Sorted(maps.Keys(s.Sysctls)) {
		if strings.Contains(name, "/") || strings.Contains(name, "..") {
			return fmt.Errorf("sysctl %q: names are written with single dots", name)
		}
		i := slices.IndexFunc(sysctlNamespaces, func(n struct {
			prefix string
			kind   NamespaceType
		}) bool {
			return strings.HasPrefix(name, n.prefix)
		})
		if i < 0 {
			return fmt.Errorf("sysctl %s is of the whole machine: it can't be set for a sandbox", name)
		}
		if _, own := s.namespace(sysctlNamespaces[i].kind); !own {
			return fmt.Errorf("sysctl %s would be set for the host: the sandbox has no %s namespace of its own", name, sysctlNamespaces[i].kind)
		}
	}
	return nil
}

// sysctlSteps write through the host's /proc, which shows the writer's own
// namespaces, before it is gone: that of the sandbox needn't be there.
func sysctlSteps(s *Spec) (steps []Step) {
	for _, name := range slices.Sorted(maps.Keys(s.Sysctls)) {
		value := s.Sysctls[name]
		steps = append(steps, within("sysctl", name+"="+value, func(*inside) error {
			return writeFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), value)
		}))
	}
	return steps
}

func loopbackSteps(s *Spec) []Step {
	if !s.isNew(NetNS) {
		return nil
	}
	return []Step{within("loopback", "lo is up", func(*inside) error { return raiseLoopback() })}
}

// raiseLoopback sets IFF_UP (netdevice(7)); the kernel gives the addresses.
func raiseLoopback() error {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(sock)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(sock, unix.SIOCGIFFLAGS, lo); err != nil {
		return err
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(sock, unix.SIOCSIFFLAGS, lo)
}

// keyringSteps take the caller's keys away from the program.
func keyringSteps() []Step {
	return []Step{program("keyring", "a new session keyring", func(*inside) ([]call, error) {
		// Kernels without keys have none to leak.
		return []call{newCall("join a new session keyring", unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0).optional()}, nil
	})}
}

// oomStep writes from outside, where /proc is the host's.
func oomStep(adj int) Step {
	return outside("oom", fmt.Sprintf("oom_score_adj %d", adj), func(b *builder) error {
		err := writeFile(fmt.Sprintf("/proc/%d/oom_score_adj", b.sb.pid), fmt.Sprint(adj))
		if err != nil {
			return fmt.Errorf("oom_score_adj %d: %w (less than the caller's own needs CAP_SYS_RESOURCE)", adj, err)
		}
		return nil
	})
}
