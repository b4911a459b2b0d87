package main

import (
	"strings"

	"unionfs/runner"
)

// hostConfig is what was asked for beyond the image's configuration, under docker's
// names. Spec has all of it, and in our words.
type hostConfig struct {
	Binds           []string
	NetworkMode     string
	AutoRemove      bool
	VolumeDriver    string
	VolumesFrom     []string
	CapAdd          []string
	CapDrop         []string
	CgroupnsMode    string
	Dns             []string
	DnsOptions      []string
	DnsSearch       []string
	ExtraHosts      []string
	GroupAdd        []string
	IpcMode         string
	OomScoreAdj     int
	PidMode         string
	Privileged      bool
	PublishAllPorts bool
	ReadonlyRootfs  bool
	SecurityOpt     []string
	Sysctls         map[string]string `json:",omitempty"`
	Tmpfs           map[string]string `json:",omitempty"`
	UTSMode         string
	UsernsMode      string
	ShmSize         int64
	Runtime         string
	Init            bool
	RestartPolicy   restartPolicy
	Devices         []hostDevice
	Ulimits         []hostUlimit

	Memory     int64
	MemorySwap int64
	NanoCpus   int64
	CpuShares  uint64
	CpusetCpus string
	PidsLimit  int64
}

// restartPolicy is always docker's "no": there is no daemon to restart anything.
type restartPolicy struct {
	Name              string
	MaximumRetryCount int
}

type hostDevice struct{ PathOnHost, PathInContainer, CgroupPermissions string }

type hostUlimit struct {
	Name       string
	Soft, Hard int64
}

func hostConfigOf(c *runner.Container) hostConfig {
	s := &c.Spec
	out := hostConfig{
		NetworkMode: s.NetMode, AutoRemove: s.Remove, VolumeDriver: s.VolumeDriver, VolumesFrom: s.VolumesFrom,
		CapAdd: s.CapAdd, CapDrop: s.CapDrop, CgroupnsMode: private(s.CgroupMode), Dns: list(s.DNS), DnsOptions: list(s.DNSOptions),
		DnsSearch: list(s.DNSSearch), ExtraHosts: list(s.AddHosts), GroupAdd: s.Groups, IpcMode: private(s.IPCMode), PidMode: s.PIDMode,
		Privileged: s.Privileged, PublishAllPorts: s.PublishAll, ReadonlyRootfs: s.ReadOnly, SecurityOpt: securityWords(s),
		Sysctls: s.Sysctls, UTSMode: s.UTSMode, UsernsMode: s.UserMode, ShmSize: s.ShmSize, Runtime: s.Runtime, Init: s.Init,
		RestartPolicy: restartPolicy{Name: "no"},
		Memory:        s.Resources.Memory, MemorySwap: s.Resources.MemorySwap, NanoCpus: int64(s.Resources.CPUs * 1e9),
		CpuShares: s.Resources.CPUShares, CpusetCpus: s.Resources.CpusetCPUs, PidsLimit: s.Resources.PIDs,
	}
	if out.ShmSize == 0 {
		out.ShmSize = runner.DefaultShmSize
	}
	if adj := s.Resources.OOMScoreAdj; adj != nil {
		out.OomScoreAdj = *adj
	}
	for _, m := range c.Storage() {
		mode := mountMode(&m)
		switch {
		case m.Type == runner.TmpfsMount:
			if out.Tmpfs == nil {
				out.Tmpfs = map[string]string{}
			}
			out.Tmpfs[m.Target] = mode
		case m.Type == runner.BindMount, m.Type == runner.VolumeMount:
			out.Binds = append(out.Binds, strings.TrimSuffix(m.Source+":"+m.Target+":"+mode, ":"))
		}
	}
	for _, word := range s.Devices {
		if d, err := runner.ParseDevice(word); err == nil { // it was checked when the container was made
			out.Devices = append(out.Devices, hostDevice{d.Source, d.Path, d.Access})
		}
	}
	limits, _ := s.Limits() // so were they
	for _, l := range limits {
		out.Ulimits = append(out.Ulimits, hostUlimit{l.Name, int64(l.Soft), int64(l.Hard)}) // no limit is -1
	}
	return out
}

// list is an empty one where docker has that and not null.
func list(words []string) []string { return append([]string{}, words...) }

func private(mode string) string {
	if mode == "" {
		return "private"
	}
	return mode
}

func securityWords(s *runner.Spec) (words []string) {
	if s.NoNewPrivs {
		words = append(words, "no-new-privileges")
	}
	if s.Seccomp != "" {
		words = append(words, "seccomp="+s.Seccomp)
	}
	if s.Unmasked {
		words = append(words, "systempaths=unconfined")
	}
	return words
}
