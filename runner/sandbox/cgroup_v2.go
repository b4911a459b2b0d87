package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// v2Settings are the files of v2's controllers (Documentation/admin-guide/
// cgroup-v2.rst).
func v2Settings(c Cgroup) (out []setting) {
	add := func(controller, file, value, limit string) {
		out = append(out, setting{controller, file, value, limit})
	}
	if c.MemoryBytes > 0 {
		add("memory", "memory.max", strconv.FormatInt(c.MemoryBytes, 10), memoryLimit(c))
	}
	if c.MemorySwapBytes > 0 {
		// Swap alone is counted here.
		add("memory", "memory.swap.max", strconv.FormatInt(max(c.MemorySwapBytes-c.MemoryBytes, 0), 10), swapLimit(c))
	}
	if c.CPUs > 0 {
		add("cpu", "cpu.max", fmt.Sprintf("%d %d", cpuQuota(c.CPUs), cpuPeriod), cpuLimit(c))
	}
	if c.CPUShares > 0 {
		add("cpu", "cpu.weight", strconv.FormatUint(cpuWeight(c.CPUShares), 10), sharesLimit(c))
	}
	if c.CpusetCPUs != "" {
		add("cpuset", "cpuset.cpus", c.CpusetCPUs, cpusetLimit(c))
	}
	if c.PIDs > 0 {
		add("pids", "pids.max", strconv.FormatInt(c.PIDs, 10), pidsLimit(c))
	}
	return out
}

// cpuWeight maps v1's shares, 2 to 262144, to v2's weight, 1 to 10000, as runc
// does.
func cpuWeight(shares uint64) uint64 {
	shares = min(max(shares, 2), 262144)
	return 1 + (shares-2)*9999/262142
}

// counted are the controllers that stats come from.
var counted = []string{"memory", "cpu", "pids"}

// makeUnified makes the group in the unified hierarchy: below the process' own
// group or, because a group with processes can't hand out controllers (the "no
// internal process" rule), beside it.
func (g *cgroup) makeUnified(h *hierarchies, name string, needed map[string]string) error {
	if h.unified == nil {
		return missingControllers(needed, h)
	}
	required := slices.Sorted(maps.Keys(needed))
	wanted := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(required), counted...))))
	for _, enough := range [][]string{wanted, required} {
		for _, parent := range h.unified.parents() {
			dir, err := makeBelow(parent, name, wanted, enough)
			if err != nil {
				return err
			}
			if dir != "" {
				g.unified = dir
				return nil
			}
		}
	}
	return missingControllers(needed, h)
}

// parents are where the group may be, the best first.
func (p *place) parents() []string {
	if p.own == p.mount {
		return []string{p.own}
	}
	return []string{p.own, filepath.Dir(p.own)}
}

// makeBelow answers "" when the group can't be made there, can't be joined, or
// would lack one of the controllers that are enough.
func makeBelow(parent, name string, wanted, enough []string) (string, error) {
	// To move a process its mover must be able to write to the group above
	// both places (cgroup-v2.rst, "Delegation Containment").
	if unix.Faccessat(unix.AT_FDCWD, filepath.Join(parent, "cgroup.procs"), unix.W_OK, unix.AT_EACCESS) != nil {
		return "", nil
	}
	dir := filepath.Join(parent, name)
	if err := makeGroup(dir); err != nil {
		if groupDenied(err) {
			return "", nil
		}
		return "", err
	}
	for _, controller := range wanted {
		// One at a time: one that isn't there would spoil all. What is missing
		// then is seen below.
		_ = writeGroupFile(parent, "cgroup.subtree_control", "+"+controller)
	}
	have := strings.Fields(readGroupFile(dir, "cgroup.controllers"))
	for _, controller := range enough {
		if !slices.Contains(have, controller) {
			return "", removeGroup(dir)
		}
	}
	return dir, nil
}

// missingControllers is no error when no limit needs any.
func missingControllers(needed map[string]string, h *hierarchies) error {
	var errs []error
	for _, controller := range slices.Sorted(maps.Keys(needed)) {
		errs = append(errs, fmt.Errorf("%s: %s", needed[controller], h.adviceFor(controller)))
	}
	return errors.Join(errs...)
}

// adviceFor says why there is no controller, and what to do.
func (h *hierarchies) adviceFor(controller string) string {
	switch {
	case h.v1[controller] != nil:
		return fmt.Sprintf("no group can be made in the %s cgroup %s; run as root, or let root give you a directory there, or leave the limit out",
			controller, h.v1[controller].own)
	case h.unified == nil:
		return fmt.Sprintf("there is no %s cgroup here; mount one at /sys/fs/cgroup, or leave the limit out", controller)
	case !slices.Contains(strings.Fields(readGroupFile(h.unified.mount, "cgroup.controllers")), controller):
		return fmt.Sprintf("the cgroups at %s have no %s controller; boot a kernel that has it (cgroup_enable=%s), or leave the limit out",
			h.unified.mount, controller, controller)
	}
	return fmt.Sprintf("the %s controller isn't delegated to the cgroup %s; start from one that is, as in: systemd-run --user --scope -p Delegate=yes COMMAND "+
		"(systemd's Delegate=%s for user@.service gives it to all users), run as root, or leave the limit out",
		controller, h.unified.own, controller)
}

func unifiedStats(dir string) Stats {
	s := Stats{
		MemoryBytes: used(readGroupNumber(dir, "memory.current"), readGroupKey(dir, "memory.stat", "inactive_file")),
		MemoryLimit: readGroupNumber(dir, "memory.max"),
		CPUNanos:    readGroupKey(dir, "cpu.stat", "usage_usec") * 1000,
		PIDs:        readGroupNumber(dir, "pids.current"),
	}
	s.ReadBytes, s.WrittenBytes = ioBytes(readGroupFile(dir, "io.stat"))
	return s
}

// ioBytes sums up lines as "8:0 rbytes=4096 wbytes=0 rios=1 …", of each disk.
func ioBytes(text string) (read, written int64) {
	for word := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(word, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case err != nil:
		case key == "rbytes":
			read += n
		case key == "wbytes":
			written += n
		}
	}
	return read, written
}
