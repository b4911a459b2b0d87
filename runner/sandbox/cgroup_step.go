package sandbox

import (
	"fmt"
	"os"
	"strings"
	"time"
)

func cgroupSteps(s *Spec) []Step {
	c := &s.Cgroup
	if c.Name == "" && !c.limits() {
		return nil
	}
	return []Step{outside("cgroup", c.text(), (*builder).makeCgroup)}
}

// limits says that something was asked for explicitly.
func (c *Cgroup) limits() bool {
	return c.MemoryBytes > 0 || c.MemorySwapBytes != 0 || c.CPUs > 0 || c.CPUShares > 0 || c.CpusetCPUs != "" || c.PIDs > 0
}

func (c *Cgroup) text() string {
	text := c.Name
	for _, l := range []struct {
		name  string
		value any
		set   bool
	}{
		{"memory", c.MemoryBytes, c.MemoryBytes > 0}, {"memory+swap", c.MemorySwapBytes, c.MemorySwapBytes != 0},
		{"cpus", c.CPUs, c.CPUs > 0}, {"shares", c.CPUShares, c.CPUShares > 0},
		{"cpuset", c.CpusetCPUs, c.CpusetCPUs != ""}, {"pids", c.PIDs, c.PIDs > 0}, {"devices", "listed", c.Devices},
	} {
		if l.set {
			text += fmt.Sprintf(" %s=%v", l.name, l.value)
		}
	}
	return strings.TrimSpace(text)
}

func (c *Cgroup) check() error {
	switch {
	case c.MemorySwapBytes > 0 && c.MemorySwapBytes < c.MemoryBytes:
		return fmt.Errorf("memory and swap together (%d) are less than memory alone (%d)", c.MemorySwapBytes, c.MemoryBytes)
	case c.MemorySwapBytes > 0 && c.MemoryBytes <= 0:
		return fmt.Errorf("a limit of memory and swap together (%d) needs one of memory", c.MemorySwapBytes)
	case c.CPUs < 0:
		return fmt.Errorf("%g CPUs are less than none", c.CPUs)
	}
	return nil
}

// makeCgroup makes the group before there is a process to be in it.
func (b *builder) makeCgroup() (err error) {
	c := b.spec.Cgroup
	if c.Name == "" {
		c.Name = fmt.Sprintf("unionfs-%d-%d", os.Getpid(), time.Now().UnixNano())
	}
	b.sb.cgroup, err = newCgroup(c, b.spec.Devices)
	return err
}

// Stats asks the sandbox's control group what its processes use; all is 0 where
// there is none.
func (sb *Sandbox) Stats() Stats {
	if sb.cgroup == nil {
		return Stats{}
	}
	return sb.cgroup.stats()
}
