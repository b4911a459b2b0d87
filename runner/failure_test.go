package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"unionfs/runner/sandbox"
)

// traces are what a container could leave behind.
type traces struct {
	mounts, children, sockets, descriptors, snapshots []string
}

func tracesOf(t *testing.T, r *Runner) (s traces) {
	t.Helper()
	for line := range strings.Lines(readText("/proc/self/mountinfo")) {
		if strings.Contains(line, filepath.Dir(r.Store.Root())) || strings.Contains(line, "fuse.unionfs") && strings.Contains(line, "unionfs-test") {
			s.mounts = append(s.mounts, line)
		}
	}
	s.children = childrenOf(t, os.Getpid())
	s.sockets = namesBelow(r.RunDir)
	s.snapshots = namesBelow(filepath.Join(r.Store.Root(), "snapshots"))
	for _, name := range namesBelow("/proc/self/fd") {
		to, err := os.Readlink("/proc/self/fd/" + name)
		// What the Go runtime and the list itself have open comes and goes.
		if err == nil && !strings.HasPrefix(to, "anon_inode:[event") && !strings.HasPrefix(to, "/proc/") {
			s.descriptors = append(s.descriptors, to)
		}
	}
	slices.Sort(s.descriptors)
	return s
}

func namesBelow(dir string) (out []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // it isn't there
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// childrenOf are a process' children, but zombies.
func childrenOf(t *testing.T, pid int) (out []string) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	must(t, err)
	for _, task := range tasks {
		for _, child := range strings.Fields(readText(task)) {
			stat := readText("/proc/" + child + "/stat")
			if i := strings.LastIndexByte(stat, ')'); i >= 0 && !strings.HasPrefix(stat[i+1:], " Z") {
				out = append(out, child+" "+strings.ReplaceAll(readText("/proc/"+child+"/cmdline"), "\x00", " "))
			}
		}
	}
	return out
}

// groupsOf finds a container's cgroups, below this process's or beside it.
func groupsOf(id string) (out []string) {
	seen := map[string]bool{}
	for line := range strings.Lines(readText("/proc/self/cgroup")) {
		_, own, _ := strings.Cut(strings.TrimSpace(line), ":")
		_, own, _ = strings.Cut(own, ":")
		for dir := own; !seen[dir]; dir = filepath.Dir(dir) {
			seen[dir] = true
			for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
				found, _ := filepath.Glob(filepath.Join(mount, dir, groupName(id))) // the pattern is right
				out = append(out, found...)
			}
		}
	}
	return out
}

// newTraces are those that weren't there before, and the container's cgroups.
func newTraces(before, after traces, id string) []string {
	var out []string
	for _, kind := range []struct {
		name          string
		before, after []string
	}{
		{"mount", before.mounts, after.mounts}, {"child", before.children, after.children}, {"socket folder", before.sockets, after.sockets},
		{"snapshot", before.snapshots, after.snapshots}, {"descriptor", before.descriptors, after.descriptors},
	} {
		left := slices.Clone(kind.after)
		for _, old := range kind.before {
			if i := slices.Index(left, old); i >= 0 {
				left = slices.Delete(left, i, i+1)
			}
		}
		for _, one := range left {
			out = append(out, kind.name+" "+one)
		}
	}
	for _, group := range groupsOf(id) {
		out = append(out, "cgroup "+group)
	}
	return out
}

// leavesNothing runs a container that is to fail, and sees what it leaves.
func leavesNothing(t *testing.T, r *Runner, spec Spec, spoil func(c *Container) (mend func()), ctx context.Context) error {
	t.Helper()
	before := tracesOf(t, r)
	spec.Remove = true
	c, err := r.Create(t.Context(), "", spec)
	must(t, err)
	mend := spoil(&c)
	_, failure := r.Monitor(ctx, &c, MonitorOptions{})
	mend()
	if _, err := os.Lstat(c.Dir()); err == nil {
		// What was spoiled may have been in the way of its removal too.
		if err := r.Remove(t.Context(), &c, RemoveOptions{Volumes: true}); err != nil {
			t.Errorf("after %v: it can't be removed: %v", failure, err)
		}
	}
	var left []string
	if !within(patience, func() bool { left = newTraces(before, tracesOf(t, r), c.ID); return len(left) == 0 }) {
		t.Errorf("after %v: these are left: %q", failure, left)
	}
	return failure
}

func failingSpec() Spec {
	return Spec{
		Image: "box", Args: []string{"true"}, TTY: true, Init: true, ReadOnly: true, NetMode: "none",
		Sysctls: map[string]string{"net.ipv4.ip_forward": "1"}, Ulimits: []string{"core=0"},
		Mounts: []Mount{{Type: TmpfsMount, Target: "/tmp"}, {Type: BindMount, Source: "/proc/self/exe", Target: "/mnt"}},
	}
}

// TestEveryStepFails makes each step of a container's start fail in turn: first
// those of the sandbox, then those of its monitor.
func TestEveryStepFails(t *testing.T) {
	r := newRunner(t)
	spec := failingSpec()
	nothing := func(*Container) func() { return func() {} }
	// Once without, for what is made once for all.
	if err := leavesNothing(t, r, spec, nothing, t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := r.Create(t.Context(), "plan", spec)
	must(t, err)
	plan, err := r.Plan(t.Context(), &c)
	must(t, err)
	must(t, r.Remove(t.Context(), &c, RemoveOptions{}))
	steps := sandbox.Plan(&plan)
	for i, step := range steps {
		if step.Kind == "init" {
			continue // says how, and does nothing itself
		}
		err := leavesNothing(t, r, spec, func(*Container) func() { return sandbox.FailStep(i) }, t.Context())
		var start *sandbox.StartError
		if !errors.As(err, &start) || start.Step != step.Kind {
			t.Errorf("step %d, %s: %v", i, step, err)
		}
	}
	if len(steps) < 40 {
		t.Errorf("the plan has %d steps, and some must be missing here", len(steps))
	}
}

func TestEveryStepOfMonitorFails(t *testing.T) {
	r := newRunner(t)
	for name, spoil := range map[string]func(t *testing.T, c *Container) func(){
		"a layer":   func(t *testing.T, c *Container) func() { return away(t, r.Store.LayerDir(c.Layers[0])) },
		"the upper": func(t *testing.T, c *Container) func() { return away(t, c.Upper()) },
		"the log":   func(t *testing.T, c *Container) func() { return occupied(t, c.LogPath()) },
		"etc": func(t *testing.T, c *Container) func() {
			must(t, os.WriteFile(c.file("etc"), nil, 0o600))
			return func() {}
		},
		"the plan": func(_ *testing.T, c *Container) func() { c.Spec.User = "nobody-like-that"; return func() {} },
		"a bind": func(t *testing.T, c *Container) func() {
			c.Spec.Mounts[1].Source = t.TempDir() + "/none"
			return func() {}
		},
		"the socket": func(t *testing.T, c *Container) func() {
			old := r.RunDir
			r.RunDir = filepath.Join(old, strings.Repeat("long", 30)) // sun_path of unix(7) has 108 bytes
			return func() {
				if left := namesBelow(r.RunDir); len(left) > 0 {
					t.Errorf("%q are left", left)
				}
				must(t, os.Remove(r.RunDir))
				r.RunDir = old
			}
		},
		"the state": func(t *testing.T, c *Container) func() { return occupied(t, c.file(stateFile+".new", "x")) },
		"the network": func(t *testing.T, c *Container) func() {
			c.Spec.NetMode = "private"
			t.Setenv("PATH", t.TempDir())
			return func() {}
		},
		"the program": func(_ *testing.T, c *Container) func() { c.Spec.Args = []string{"/none"}; return func() {} },
	} {
		t.Run(name, func(t *testing.T) {
			if err := leavesNothing(t, r, failingSpec(), func(c *Container) func() { return spoil(t, c) }, t.Context()); err == nil {
				t.Error("it started")
			}
		})
	}
}

// away moves something to another place for as long as it is to be missing.
func away(t *testing.T, name string) func() {
	must(t, os.Rename(name, name+".away"))
	return func() { _ = os.Rename(name+".away", name) } // it may be gone with all the rest
}

// occupied puts a directory where a file is to come, or a file below one.
func occupied(t *testing.T, name string) func() {
	must(t, os.MkdirAll(name, 0o755))
	return func() { must(t, os.RemoveAll(name)) }
}

// A caller who gives up leaves nothing either, whenever it is.
func TestStartGivenUp(t *testing.T) {
	r := newRunner(t)
	spec := failingSpec()
	spec.Args = []string{"sleep", "1000"}
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(time.Duration(i)*3*time.Millisecond, cancel)
		_ = leavesNothing(t, r, spec, func(*Container) func() { return func() {} }, ctx)
		timer.Stop()
		cancel()
	}
}
