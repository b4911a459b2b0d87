package sandbox

import (
	"os"
	"strconv"
)

// Group is the control group of a process that somebody else's runtime started.
// The zero value is none.
type Group struct{ g *cgroup }

// GroupOf finds the group that a process is in. One that is this process' own
// counts for nothing: the runtime had none to make.
func GroupOf(pid int) (Group, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Group{}, err
	}
	theirs, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if os.IsNotExist(err) {
		return Group{}, nil // a kernel without, or it has ended
	}
	if err != nil {
		return Group{}, err
	}
	ours, err := findHierarchies()
	if err != nil {
		return Group{}, err
	}
	return groupOf(parseHierarchies(string(mounts), string(theirs)), ours), nil
}

func groupOf(theirs, ours *hierarchies) Group {
	g := &cgroup{v1: map[string]string{}}
	for controller, p := range theirs.v1 {
		if own := ours.v1[controller]; own == nil || own.own != p.own {
			g.v1[controller] = p.own
		}
	}
	if theirs.unified != nil && (ours.unified == nil || ours.unified.own != theirs.unified.own) {
		g.unified = theirs.unified.own
	}
	return Group{g}
}

// Stats is what the processes of the group use.
func (g Group) Stats() Stats {
	if g.g == nil {
		return Stats{}
	}
	return g.g.stats()
}

// OOMKilled says that the kernel has ended a process of the group for want of
// memory. It must be asked before the group is removed.
func (g Group) OOMKilled() bool { return g.g != nil && g.g.oomKilled() }
