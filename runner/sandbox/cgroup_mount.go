package sandbox

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroupMount shows the sandbox its control groups: the unified hierarchy, or
// those of v1's controllers in a tmpfs. In a cgroup namespace of its own it
// sees nothing above its own group. Where they can't be mounted anew, the
// host's are bound, read-only.
func (in *inside) cgroupMount(m *Mount, o *mountOptions) error {
	o.data = nil
	if in.spec.isNew(CgroupNS) {
		if m.Type == "cgroup2" {
			if fd, err := newMount("cgroup2", "cgroup", o); err == nil {
				return in.place(fd, m, o)
			}
		} else if sets := controllerSets(); len(sets) > 0 && in.mountControllers(m, o, sets) == nil {
			return nil
		}
	}
	own := *o
	own.deepSet |= unix.MOUNT_ATTR_RDONLY
	own.recursive = true
	fd, err := bind("/sys/fs/cgroup", &own)
	if err != nil {
		return err
	}
	return in.place(fd, m, &own)
}

// place attaches a mount, which is closed, to its target.
func (in *inside) place(fd int, m *Mount, o *mountOptions) error {
	defer unix.Close(fd)
	target, err := in.target(fd, m.Target)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	return attach(fd, target, o)
}

// controllerSets are the controllers of v1's hierarchies, those that are
// together in one as in "cpu,cpuacct". Named hierarchies are the host's.
func controllerSets() (sets []string) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) == 3 && fields[1] != "" && !strings.Contains(fields[1], "=") {
			sets = append(sets, fields[1])
		}
	}
	return sets
}

// mountControllers makes all hierarchies before any of them is attached, so
// that nothing is when one of them fails.
func (in *inside) mountControllers(m *Mount, o *mountOptions, sets []string) error {
	made := map[string]int{}
	defer func() {
		for _, fd := range made {
			unix.Close(fd)
		}
	}()
	for _, set := range sets {
		one := *o
		one.data = strings.Split(set, ",")
		fd, err := newMount("cgroup", "cgroup", &one)
		if err != nil {
			return err
		}
		made[set] = fd
	}
	top := parseMountOptions([]string{"nosuid", "nodev", "noexec", "mode=755", "size=64k"})
	dir, err := newMount("tmpfs", "cgroup", &top)
	if err != nil {
		return err
	}
	if err := in.place(dir, m, &top); err != nil {
		return err
	}
	return in.fillControllers(m, made)
}

// fillControllers attaches the hierarchies below the tmpfs, which is read-only
// when they are there.
func (in *inside) fillControllers(m *Mount, made map[string]int) error {
	for set, fd := range made {
		target, err := resolveNew(in.root, m.Target+"/"+set, makeDir)
		if err != nil {
			return err
		}
		err = attach(fd, target, &mountOptions{})
		unix.Close(target)
		if err != nil {
			return err
		}
		for name := range strings.SplitSeq(set, ",") {
			if name == set {
				continue
			}
			if err := in.link(Link{Name: m.Target + "/" + name, Target: set}); err != nil {
				return err
			}
		}
	}
	top, err := resolve(in.root, m.Target)
	if err != nil {
		return err
	}
	defer unix.Close(top)
	return unix.MountSetattr(top, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}
