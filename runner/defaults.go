package runner

import (
	"fmt"

	"unionfs/runner/sandbox"
)

// What every container has is docker's: its file systems, its devices, and what
// of the kernel is hidden from it.

// DefaultShmSize is how many bytes /dev/shm has when nothing is said.
const DefaultShmSize = 64 << 20

func (s *Spec) defaultMounts(f Facts) []sandbox.Mount {
	sys := []string{"nosuid", "noexec", "nodev", "ro"}
	cgroup := []string{"nosuid", "noexec", "nodev", "relatime", "ro"}
	if s.Privileged {
		sys, cgroup = sys[:3], cgroup[:4]
	}
	shm := int64(DefaultShmSize)
	if s.ShmSize > 0 {
		shm = s.ShmSize
	}
	pts := []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
	if !f.SingleID {
		pts = append(pts, "gid=5")
	}
	cgroupType := "cgroup"
	if f.CgroupV2 {
		cgroupType = "cgroup2"
	}
	out := []sandbox.Mount{
		{Type: "proc", Source: "proc", Target: "/proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Type: "tmpfs", Source: "tmpfs", Target: "/dev", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Type: "devpts", Source: "devpts", Target: "/dev/pts", Options: pts},
		{Type: "sysfs", Source: "sysfs", Target: "/sys", Options: sys},
		{Type: cgroupType, Source: "cgroup", Target: "/sys/fs/cgroup", Options: cgroup, Optional: true},
	}
	if s.IPCMode == "host" {
		return append(out,
			sandbox.Mount{Type: "bind", Source: "/dev/mqueue", Target: "/dev/mqueue", Options: []string{"rbind", "nosuid", "noexec", "nodev"}, Optional: true},
			sandbox.Mount{Type: "bind", Source: "/dev/shm", Target: "/dev/shm", Options: []string{"rbind", "nosuid", "noexec", "nodev"}, Optional: true})
	}
	out = append(out, sandbox.Mount{Type: "mqueue", Source: "mqueue", Target: "/dev/mqueue", Options: []string{"nosuid", "noexec", "nodev"}, Optional: true})
	if s.IPCMode != "none" {
		out = append(out, sandbox.Mount{Type: "tmpfs", Source: "shm", Target: "/dev/shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", fmt.Sprintf("size=%d", shm)}})
	}
	return out
}

// defaultLinks are those of OCI runtime-spec, runtime-linux.md, "Dev symbolic
// links".
var defaultLinks = []sandbox.Link{
	{Name: "/dev/fd", Target: "/proc/self/fd"},
	{Name: "/dev/stdin", Target: "/proc/self/fd/0"},
	{Name: "/dev/stdout", Target: "/proc/self/fd/1"},
	{Name: "/dev/stderr", Target: "/proc/self/fd/2"},
	{Name: "/dev/ptmx", Target: "pts/ptmx"},
}

// defaultDevices are those of OCI runtime-spec, config-linux.md, "Default
// Devices".
var defaultDevices = []sandbox.Device{
	charDevice("/dev/null", 1, 3), charDevice("/dev/zero", 1, 5), charDevice("/dev/full", 1, 7),
	charDevice("/dev/random", 1, 8), charDevice("/dev/urandom", 1, 9), charDevice("/dev/tty", 5, 0),
}

func charDevice(path string, major, minor uint32) sandbox.Device {
	return sandbox.Device{Path: path, Type: "c", Major: major, Minor: minor, Mode: 0o666, Source: path, Access: "rwm"}
}

// maskedPaths and readonlyPaths are docker's.
var (
	maskedPaths = []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
		"/sys/devices/virtual/powercap", "/sys/firmware",
		// Not docker's: who can write there ends any user's FUSE mounts, the
		// container's root among them.
		"/sys/fs/fuse/connections",
	}
	readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)
