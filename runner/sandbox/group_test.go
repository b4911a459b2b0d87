package sandbox

import "testing"

// A group that is the caller's own isn't the container's.
func TestGroupOfOther(t *testing.T) {
	mounts := "30 20 0:26 / /cg/memory rw - cgroup cgroup rw,memory\n31 20 0:27 / /cg/pids rw - cgroup cgroup rw,pids\n32 20 0:28 / /cg/unified rw - cgroup2 cgroup2 rw\n"
	ours := parseHierarchies(mounts, "2:memory:/\n1:pids:/\n0::/\n")
	g := groupOf(parseHierarchies(mounts, "2:memory:/box\n1:pids:/\n0::/\n"), ours)
	if len(g.g.v1) != 1 || g.g.v1["memory"] != "/cg/memory/box" || g.g.unified != "" {
		t.Errorf("got %+v", g.g)
	}
	g = groupOf(parseHierarchies(mounts, "2:memory:/\n1:pids:/\n0::/box\n"), ours)
	if len(g.g.v1) != 0 || g.g.unified != "/cg/unified/box" {
		t.Errorf("got %+v", g.g)
	}
	if (Group{}).Stats() != (Stats{}) || (Group{}).OOMKilled() {
		t.Error("no group counts something")
	}
}
