package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hierarchies are those that are mounted here, with the group that this process
// is in.
type hierarchies struct {
	unified *place
	v1      map[string]*place // by controller
}

// place is a group in a mounted hierarchy.
type place struct {
	mount string // where the hierarchy is seen, from its root or some group on
	own   string // this process' group, at or below mount
}

func findHierarchies() (*hierarchies, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if os.IsNotExist(err) {
		return &hierarchies{}, nil // a kernel without cgroups
	}
	if err != nil {
		return nil, err
	}
	return parseHierarchies(string(mounts), string(groups)), nil
}

// parseHierarchies reads /proc/PID/mountinfo (proc_pid_mountinfo(5)) and
// /proc/PID/cgroup (cgroups(7)).
func parseHierarchies(mounts, groups string) *hierarchies {
	own := ownGroups(groups)
	h := &hierarchies{v1: map[string]*place{}}
	for line := range strings.Lines(mounts) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		root, point := unescapeMountinfo(left[3]), unescapeMountinfo(left[4])
		switch right[0] {
		case "cgroup2":
			if p := newPlace(root, point, own, ""); p != nil && h.unified == nil {
				h.unified = p
			}
		case "cgroup":
			for controller := range strings.SplitSeq(right[2], ",") {
				if p := newPlace(root, point, own, controller); p != nil && h.v1[controller] == nil {
					h.v1[controller] = p
				}
			}
		}
	}
	return h
}

// ownGroups are the process' groups by controller, that of v2 under "". Named
// hierarchies (name=systemd) have no controllers, and are left to those who
// made them.
func ownGroups(text string) map[string]string {
	own := map[string]string{}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			if !strings.HasPrefix(controller, "name=") {
				own[controller] = parts[2]
			}
		}
	}
	return own
}

// newPlace is nil when the process' group isn't below what is mounted.
func newPlace(root, point string, own map[string]string, controller string) *place {
	group, ok := own[controller]
	if !ok {
		return nil
	}
	below, err := filepath.Rel(root, group)
	if err != nil || !filepath.IsLocal(below) {
		return nil
	}
	return &place{mount: point, own: filepath.Join(point, below)}
}

// unescapeMountinfo undoes the kernel's mangle_path: space, tab, newline and
// backslash are octal.
func unescapeMountinfo(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// makeGroup makes a directory for a group. One of the same name is left from a run
// that was cut off, and is taken away first, once its processes, who were killed
// with their monitor, are gone.
func makeGroup(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if !os.IsExist(err) {
		return err
	}
	if err := removeDying(dir); err != nil {
		return fmt.Errorf("the cgroup %s exists, and there are processes in it: %w", dir, err)
	}
	return os.Mkdir(dir, 0o755)
}
