package sandbox

import (
	"fmt"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// ociVersion is that of the runtime-spec which all runtimes in use take: crun
// before 1.9 refuses newer ones. Nothing later is asked for.
const ociVersion = "1.0.2"

// OCIMachine is what a config.json has to know of the machine that it is for.
type OCIMachine struct {
	// Arch is Go's name; Kernel is what rules of seccomp are chosen by.
	Arch   string
	Kernel [2]int
	// InitialUserNS says that the runtime will be called by the machine's own
	// root.
	InitialUserNS bool
}

// OCI makes the config.json of an OCI bundle (opencontainers/runtime-spec,
// config.md) for this machine: another runtime's words for the same sandbox. Its
// root is the folder "rootfs" of the bundle.
func (s Spec) OCI(initialUserNS bool) (*specs.Spec, error) {
	kernel, err := kernelVersion()
	if err != nil {
		return nil, err
	}
	if s.Devices, err = resolveDevices(s.Devices); err != nil {
		return nil, err
	}
	s.Mounts = slices.DeleteFunc(slices.Clone(s.Mounts), func(m Mount) bool {
		_, err := os.Stat(m.Source)
		return m.Optional && m.Type == "bind" && err != nil
	})
	return s.OCIFor(OCIMachine{runtime.GOARCH, kernel, initialUserNS})
}

// OCIFor is pure: it asks nothing of the machine.
func (s Spec) OCIFor(m OCIMachine) (*specs.Spec, error) {
	if s.Init {
		return nil, fmt.Errorf("an init is a part of our own runtime, and others have none")
	}
	process, err := s.Process.OCI()
	if err != nil {
		return nil, err
	}
	out := &specs.Spec{
		Version: ociVersion, Process: process,
		Root:     &specs.Root{Path: "rootfs", Readonly: s.ReadOnly},
		Hostname: s.Hostname, Linux: &specs.Linux{
			Sysctl: s.ociSysctls(), CgroupsPath: s.Cgroup.Name, Resources: s.ociResources(m),
			MaskedPaths: s.MaskedPaths, ReadonlyPaths: s.ReadonlyPaths,
			UIDMappings: ociMappings(s.IDMaps.UIDs), GIDMappings: ociMappings(s.IDMaps.GIDs),
		},
	}
	if out.Mounts, err = s.ociMounts(m); err != nil {
		return nil, err
	}
	for _, n := range s.Namespaces {
		out.Linux.Namespaces = append(out.Linux.Namespaces, specs.LinuxNamespace{Type: ociNamespaces[n.Type], Path: n.Path})
	}
	if err := s.ociDevices(out.Linux); err != nil {
		return nil, err
	}
	out.Linux.Seccomp, err = ociSeccomp(s.Process.Seccomp, seccompMachine{m.Arch, m.Kernel, s.Process.Capabilities})
	return out, err
}

var ociNamespaces = map[NamespaceType]specs.LinuxNamespaceType{
	UserNS: specs.UserNamespace, MountNS: specs.MountNamespace, PIDNS: specs.PIDNamespace, IPCNS: specs.IPCNamespace,
	UTSNS: specs.UTSNamespace, NetNS: specs.NetworkNamespace, CgroupNS: specs.CgroupNamespace,
}

// OCI is a further program's process.json.
func (p *Process) OCI() (*specs.Process, error) {
	out := &specs.Process{
		Terminal: p.TTY, Args: p.Args, Env: p.Env, Cwd: p.Dir,
		User:            specs.User{UID: p.UID, GID: p.GID, Umask: p.Umask, AdditionalGids: p.Groups},
		NoNewPrivileges: p.NoNewPrivs, OOMScoreAdj: p.OOMScoreAdj,
		Capabilities: &specs.LinuxCapabilities{Bounding: p.Capabilities},
	}
	if p.UID == 0 {
		// What anybody else's execve leaves is nothing (capabilities(7)), and
		// nobody inherits any (CVE-2022-24769).
		out.Capabilities.Effective, out.Capabilities.Permitted = p.Capabilities, p.Capabilities
	}
	for _, l := range p.Rlimits {
		if _, err := rlimitNumber(l.Name); err != nil {
			return nil, err
		}
		name := "RLIMIT_" + strings.TrimPrefix(strings.ToUpper(l.Name), "RLIMIT_")
		out.Rlimits = append(out.Rlimits, specs.POSIXRlimit{Type: name, Soft: l.Soft, Hard: l.Hard})
	}
	return out, nil
}

// ociSysctls has the domain name among them: config.md's field for it is newer
// than the runtimes.
func (s *Spec) ociSysctls() map[string]string {
	if s.Domainname == "" {
		return s.Sysctls
	}
	out := map[string]string{"kernel.domainname": s.Domainname}
	for key, value := range s.Sysctls {
		out[key] = value
	}
	return out
}

func (s *Spec) ociMounts(m OCIMachine) (out []specs.Mount, err error) {
	for _, mount := range s.Mounts {
		switch {
		case mount.Optional && !m.InitialUserNS && mount.Type == "cgroup":
			continue // the kernel has v1 for the machine's own root alone
		case mount.Subpath != "":
			return nil, fmt.Errorf("the mount at %s is a part of %s, which a bundle can't say: mount all of it", mount.Target, mount.Source)
		case mount.IDMap != nil:
			return nil, fmt.Errorf("the mount at %s shows other owners, which a bundle can't say: leave idmap out", mount.Target)
		}
		out = append(out, s.ociMount(mount))
	}
	return out, nil
}

func (s *Spec) ociMount(m Mount) specs.Mount {
	out := specs.Mount{Destination: path.Clean(m.Target), Type: m.Type, Source: m.Source, Options: slices.Clone(m.Options)}
	if m.Type == "sysfs" && !s.isNew(NetNS) {
		// It belongs to the network namespace, and only the owner of that one
		// may mount it (fs/sysfs/mount.c).
		out.Type, out.Source, out.Options = "bind", "/sys", append([]string{"rbind"}, out.Options...)
		if slices.Contains(m.Options, "ro") {
			out.Options = append(out.Options, "rro") // with what is mounted below
		}
	}
	if m.Type == "bind" && !slices.Contains(out.Options, "bind") && !slices.Contains(out.Options, "rbind") {
		out.Options = append([]string{"bind"}, out.Options...)
	}
	if m.CopyUp {
		out.Options = append(out.Options, "tmpcopyup")
	}
	return out
}

func ociMappings(ranges []IDRange) (out []specs.LinuxIDMapping) {
	for _, r := range ranges {
		out = append(out, specs.LinuxIDMapping{ContainerID: uint32(r.Inside), HostID: uint32(r.Host), Size: uint32(r.Count)})
	}
	return out
}

// ociDefaults are those that each runtime makes (config-linux.md, "Default Devices",
// and runtime-linux.md, "Dev symbolic links").
var ociDefaults = []string{
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
	"/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/ptmx",
}

// ociDevices names what isn't there by itself.
func (s *Spec) ociDevices(l *specs.Linux) error {
	for _, link := range s.Links {
		if !slices.Contains(ociDefaults, link.Name) {
			return fmt.Errorf("the symlink %s can't be said in a bundle", link.Name)
		}
	}
	for _, d := range s.Devices {
		if slices.Contains(ociDefaults, d.Path) {
			continue
		}
		mode, uid, gid := os.FileMode(d.Mode), d.UID, d.GID
		major, minor := int64(d.Major), int64(d.Minor)
		l.Devices = append(l.Devices, specs.LinuxDevice{
			Path: d.Path, Type: d.Type, Major: major, Minor: minor, FileMode: &mode, UID: &uid, GID: &gid,
		})
		if s.Cgroup.Devices && d.Type != "p" {
			l.Resources.Devices = append(l.Resources.Devices, specs.LinuxDeviceCgroup{
				Allow: true, Type: d.Type, Major: &major, Minor: &minor, Access: d.Access,
			})
		}
	}
	return nil
}

// ociResources are the limits. Of devices a runtime allows the default ones
// always.
func (s *Spec) ociResources(m OCIMachine) *specs.LinuxResources {
	c, out := &s.Cgroup, &specs.LinuxResources{}
	switch {
	case c.Devices:
		out.Devices = []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	case m.InitialUserNS:
		out.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}
	if c.MemoryBytes > 0 || c.MemorySwapBytes != 0 {
		out.Memory = &specs.LinuxMemory{Limit: positive(c.MemoryBytes)}
		if c.MemorySwapBytes != 0 {
			swap := c.MemorySwapBytes
			out.Memory.Swap = &swap
		}
	}
	if c.CPUs > 0 || c.CPUShares > 0 || c.CpusetCPUs != "" {
		out.CPU = &specs.LinuxCPU{Cpus: c.CpusetCPUs}
		if c.CPUs > 0 {
			quota, period := cpuQuota(c.CPUs), uint64(cpuPeriod)
			out.CPU.Quota, out.CPU.Period = &quota, &period
		}
		if c.CPUShares > 0 {
			shares := c.CPUShares
			out.CPU.Shares = &shares
		}
	}
	if c.PIDs != 0 {
		out.Pids = &specs.LinuxPids{Limit: c.PIDs}
	}
	return out
}

func positive(n int64) *int64 {
	if n <= 0 {
		return nil
	}
	return &n
}
