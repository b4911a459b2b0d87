package runner

import (
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/runner/sandbox"
)

// Request is all that a plan is made from.
type Request struct {
	ID   string // of the container
	Spec Spec
	// Config is the image's; the zero value for a container without an image.
	Config   v1.Config
	Accounts Accounts
	// EtcDir is where the container's hosts, hostname and resolv.conf are.
	EtcDir string
	// Mounts are made above the default ones: volumes and binds, already
	// sorted by their depth.
	Mounts []sandbox.Mount
}

// NewPlan makes what a sandbox is told. It asks nothing of the machine and
// changes nothing.
func NewPlan(r Request, f Facts) (sandbox.Spec, error) {
	s := &r.Spec
	hostname := s.hostname(r.ID)
	process, err := s.process(&r.Config, r.Accounts, f, hostname)
	if err != nil {
		return sandbox.Spec{}, err
	}
	p := sandbox.Spec{
		Process: process, ReadOnly: s.ReadOnly, Init: s.Init,
		Hostname: hostname, Domainname: s.Domainname, Sysctls: s.Sysctls,
		Cgroup: s.cgroup(r.ID, f),
	}
	if s.UTSMode == "host" {
		p.Hostname, p.Domainname = "", ""
	}
	if p.IDMaps, err = s.ownIDs(f); err != nil {
		return sandbox.Spec{}, err
	}
	if f.NewUserNS {
		p.IDMaps = sandbox.IDMaps{
			UIDs: []sandbox.IDRange{{Inside: 0, Host: f.UID, Count: 1}},
			GIDs: []sandbox.IDRange{{Inside: 0, Host: f.GID, Count: 1}},
		}
	}
	if p.Namespaces, err = s.namespaces(len(p.IDMaps.UIDs) > 0); err != nil {
		return sandbox.Spec{}, err
	}
	p.Mounts = mergeMounts(s.defaultMounts(f), append(r.etcMounts(f), r.Mounts...))
	if p.Devices, err = s.devices(f); err != nil {
		return sandbox.Spec{}, err
	}
	p.Links = defaultLinks
	if !s.Privileged && !s.Unmasked {
		p.MaskedPaths, p.ReadonlyPaths = maskedPaths, readonlyPaths
	}
	return p, nil
}

func (s *Spec) hostname(id string) string {
	if s.Hostname != "" {
		return s.Hostname
	}
	return id[:min(12, len(id))]
}

// groupName is the name of a container's cgroup.
func groupName(id string) string { return "unionfs-" + id }

func (s *Spec) cgroup(id string, f Facts) sandbox.Cgroup {
	r := s.Resources
	return sandbox.Cgroup{
		Name:        groupName(id),
		MemoryBytes: r.Memory, MemorySwapBytes: r.MemorySwap,
		CPUs: r.CPUs, CPUShares: r.CPUShares, CpusetCPUs: r.CpusetCPUs, PIDs: r.PIDs,
		Devices: f.InitialUserNS && !s.Privileged,
	}
}

// namespaces are new ones for all kinds that aren't the caller's.
func (s *Spec) namespaces(user bool) ([]sandbox.Namespace, error) {
	out := []sandbox.Namespace{{Type: sandbox.MountNS}}
	if user {
		out = append(out, sandbox.Namespace{Type: sandbox.UserNS})
	}
	for _, kind := range []struct {
		flag, mode string
		ns         sandbox.NamespaceType
		own        []string // words for a new one
	}{
		{"--pid", s.PIDMode, sandbox.PIDNS, []string{"", "private"}},
		{"--ipc", s.IPCMode, sandbox.IPCNS, []string{"", "private", "none", "shareable"}},
		{"--uts", s.UTSMode, sandbox.UTSNS, []string{"", "private"}},
		{"--cgroupns", s.CgroupMode, sandbox.CgroupNS, []string{"", "private"}},
		{"--network", s.NetMode, sandbox.NetNS, []string{"", "none", "private"}},
	} {
		switch {
		case slices.Contains(kind.own, kind.mode):
			out = append(out, sandbox.Namespace{Type: kind.ns})
		case kind.mode == "host":
		default:
			return nil, fmt.Errorf("%s=%s: host, or one of %s is expected", kind.flag, kind.mode, strings.Join(kind.own[1:], ", "))
		}
	}
	return out, nil
}

// etcMounts put the files that are about the container's own network in place
// of the image's.
func (r *Request) etcMounts(f Facts) []sandbox.Mount {
	if r.EtcDir == "" {
		return nil
	}
	var out []sandbox.Mount
	if f.SingleID {
		out = append(out, sandbox.Mount{Type: "bind", Source: path.Join(r.EtcDir, "apt.conf"), Target: aptConfigPath, Options: []string{"bind", "ro"}})
	}
	options := []string{"bind", "rprivate"}
	if r.Spec.ReadOnly {
		options = append(options, "ro")
	}
	for _, name := range []string{"hosts", "hostname", "resolv.conf"} {
		if name == "hosts" && r.Spec.NoHosts {
			continue
		}
		out = append(out, sandbox.Mount{Type: "bind", Source: path.Join(r.EtcDir, name), Target: "/etc/" + name, Options: options})
	}
	return out
}

// mergeMounts puts mounts above others: one with the same target replaces it,
// and all come in the order of their depth, so that none hides another that is
// below it.
func mergeMounts(below, above []sandbox.Mount) []sandbox.Mount {
	var out []sandbox.Mount
	for _, m := range below {
		if !slices.ContainsFunc(above, func(a sandbox.Mount) bool { return path.Clean(a.Target) == path.Clean(m.Target) }) {
			out = append(out, m)
		}
	}
	for i, m := range above {
		later := slices.ContainsFunc(above[i+1:], func(a sandbox.Mount) bool { return path.Clean(a.Target) == path.Clean(m.Target) })
		if !later {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b sandbox.Mount) int { return depth(a.Target) - depth(b.Target) })
	return out
}

func depth(target string) int {
	target = strings.Trim(path.Clean("/"+target), "/")
	if target == "" {
		return 0
	}
	return strings.Count(target, "/") + 1
}
