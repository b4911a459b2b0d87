package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroup is the group of a sandbox: a directory in the unified hierarchy
// (cgroup v2), one in each hierarchy of v1, or both (hybrid). A controller is
// in one hierarchy only.
type cgroup struct {
	v1      map[string]string // the directory of each controller
	unified string            // "" when there is none
}

// Stats is what the processes of a sandbox use. What isn't counted here is 0,
// and so is a limit that isn't set.
type Stats struct {
	MemoryBytes int64 `json:"memoryBytes"`
	MemoryLimit int64 `json:"memoryLimit"`
	CPUNanos    int64 `json:"cpuNanos"`
	PIDs        int64 `json:"pids"`
	// What went to and from disks by the processes themselves; what a server of a
	// file system does for them is the server's.
	ReadBytes    int64 `json:"readBytes"`
	WrittenBytes int64 `json:"writtenBytes"`
}

// setting is a value for a file of a controller; limit is what was asked for,
// in the words of the one who asked.
type setting struct{ controller, file, value, limit string }

// newCgroup makes the group and sets its limits. Without limits it makes what
// can be made, and answers nil where that is nothing.
func newCgroup(c Cgroup, devices []Device) (*cgroup, error) {
	h, err := findHierarchies()
	if err != nil {
		return nil, err
	}
	return h.newCgroup(c, devices)
}

func (h *hierarchies) newCgroup(c Cgroup, devices []Device) (_ *cgroup, err error) {
	if err := checkGroupName(c.Name); err != nil {
		return nil, err
	}
	g := &cgroup{v1: map[string]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.remove())
		}
	}()
	if err := g.makeV1(h, c.Name); err != nil {
		return nil, err
	}
	needed := neededControllers(c)
	maps.DeleteFunc(needed, func(name, _ string) bool { return g.v1[name] != "" })
	if err := g.makeUnified(h, c.Name, needed); err != nil {
		return nil, err
	}
	if err := g.set(c); err != nil {
		return nil, err
	}
	if c.Devices {
		if err := g.restrictDevices(devices); err != nil {
			return nil, err
		}
	}
	if len(g.v1) == 0 && g.unified == "" {
		return nil, nil
	}
	return g, nil
}

func checkGroupName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\n\x00") {
		return fmt.Errorf("the cgroup's name is %q, and one word without / is expected", name)
	}
	return nil
}

// neededControllers are those that a limit needs: controller → that limit.
func neededControllers(c Cgroup) map[string]string {
	needed := map[string]string{}
	for _, s := range v2Settings(c) {
		needed[s.controller] = s.limit
	}
	return needed
}

// set writes the limits. makeUnified has made sure of the controllers.
func (g *cgroup) set(c Cgroup) error {
	for _, s := range v1Settings(c) {
		if dir := g.v1[s.controller]; dir != "" {
			if err := s.write(dir); err != nil {
				return err
			}
		}
	}
	for _, s := range v2Settings(c) {
		if g.v1[s.controller] == "" {
			if err := s.write(g.unified); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s setting) write(dir string) error {
	err := writeGroupFile(dir, s.file, s.value)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT) && strings.Contains(s.file, "sw"):
		return fmt.Errorf("%s: this kernel doesn't count swap (boot it with swapaccount=1, or leave the limit out)", s.limit)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: this kernel's %s controller has no %s", s.limit, s.controller, s.file)
	case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ERANGE):
		return fmt.Errorf("%s: the kernel refuses %q for %s: %w", s.limit, s.value, s.file, err)
	}
	return fmt.Errorf("%s: %w", s.limit, err)
}

// join moves a process into the group.
func (g *cgroup) join(pid int) error {
	for _, dir := range g.dirs() {
		if err := writeGroupFile(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("move process %d into its cgroup: %w", pid, err)
		}
	}
	return nil
}

// dirs are all directories of the group.
func (g *cgroup) dirs() []string {
	dirs := slices.Collect(maps.Values(g.v1))
	if g.unified != "" {
		dirs = append(dirs, g.unified)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs) // cpu and cpuacct may share theirs
}

// oomKilled says that the kernel has ended a process of the group for want of
// memory. It must be asked before remove.
func (g *cgroup) oomKilled() bool {
	if dir := g.v1["memory"]; dir != "" {
		return readGroupKey(dir, "memory.oom_control", "oom_kill") > 0
	}
	return g.unified != "" && readGroupKey(g.unified, "memory.events", "oom_kill") > 0
}

func (g *cgroup) stats() Stats {
	var s Stats
	if g.unified != "" {
		s = unifiedStats(g.unified)
	}
	g.addV1Stats(&s)
	return s
}

// used is memory without what the kernel drops first when it needs some, as
// docker stats shows it.
func used(usage, inactiveFile int64) int64 { return max(usage-inactiveFile, 0) }

func writeGroupFile(dir, file, value string) error {
	// No O_CREAT: a file that isn't there is a controller that isn't.
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func readGroupFile(dir, file string) string {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return "" // not counted here
	}
	return strings.TrimSpace(string(text))
}

// readGroupNumber answers 0 for what isn't there and for "max".
func readGroupNumber(dir, file string) int64 {
	n, err := strconv.ParseInt(readGroupFile(dir, file), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// readGroupKey finds a number in a file of lines "key number".
func readGroupKey(dir, file, key string) int64 {
	for line := range strings.Lines(readGroupFile(dir, file)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == key {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
