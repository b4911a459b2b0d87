package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Exec runs a further program in the sandbox whose first process is pid, in all
// of its namespaces and its control group.
func Exec(ctx context.Context, pid int, p Process, stdio Stdio) (*Sandbox, error) {
	if err := p.check(); err != nil {
		return nil, &StartError{Code: 125, Step: "spec", Err: err}
	}
	b := &builder{process: &p, stdio: stdio, sb: newSandbox(&p)}
	b.compile()
	var err error
	if b.enter, err = namespacesOf(pid); err != nil {
		return nil, &StartError{Code: 125, Step: "namespaces", Err: err}
	}
	defer closeAll(b.enter)
	b.twice = b.enter[PIDNS] != nil
	b.steps = execPlan(pid, &p)
	sb, err := b.run(ctx)
	if err != nil {
		return nil, err
	}
	if err := sb.Release(ctx); err != nil {
		return nil, err
	}
	return sb, nil
}

// enterSteps bring a process into the namespaces of another one.
func enterSteps(pid int, p *Process) []Step {
	steps := []Step{
		outside("namespaces", fmt.Sprintf("those of process %d", pid), (*builder).fork),
		outside("cgroup", fmt.Sprintf("that of process %d", pid), func(b *builder) error { return joinGroupOf(pid, b.sb.pid) }),
	}
	if p.OOMScoreAdj != nil {
		steps = append(steps, oomStep(*p.OOMScoreAdj))
	}
	return append(steps,
		outside("begin", "control handed to the inside", (*builder).begin),
		within("join", "the root of the sandbox", func(in *inside) (err error) {
			in.root, err = unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			return err
		}))
}

// namespacesOf opens a process' namespaces that aren't the caller's own. The
// process is held by a pidfd meanwhile, so that all are of one process.
func namespacesOf(pid int) (files map[NamespaceType]*os.File, err error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil && err != unix.ENOSYS { // before Linux 5.3
		return nil, gone(pid, err)
	}
	if err == nil {
		defer unix.Close(pidfd)
	}
	files = map[NamespaceType]*os.File{}
	for _, f := range cloneFlags {
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, f.kind))
		if errors.Is(err, os.ErrNotExist) && f.kind == CgroupNS && isProcess(pid) {
			continue // before Linux 4.6
		}
		if err != nil {
			closeAll(files)
			return nil, gone(pid, err)
		}
		if sameFile(int(ns.Fd()), "/proc/self/ns/"+string(f.kind)) {
			ns.Close()
			continue
		}
		files[f.kind] = ns
	}
	if files[MountNS] == nil {
		closeAll(files)
		return nil, fmt.Errorf("process %d is in no sandbox: its mount namespace is the caller's own", pid)
	}
	if err == nil {
		if err := unix.PidfdSendSignal(pidfd, 0, nil, 0); err == unix.ESRCH {
			closeAll(files)
			return nil, gone(pid, err)
		}
	}
	return files, nil
}

func isProcess(pid int) bool { return isDir(fmt.Sprintf("/proc/%d", pid)) }

func isDir(name string) bool {
	var st unix.Stat_t
	return unix.Stat(name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

func gone(pid int, err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("the sandbox's process %d is gone: %w", pid, err)
	}
	return err
}

// joinGroupOf moves a process into the groups of another one.
func joinGroupOf(pid, joining int) error {
	theirs, err := groupsOf(strconv.Itoa(pid))
	if err != nil {
		return err
	}
	own, err := groupsOf("self")
	if err != nil {
		return err
	}
	for name, dir := range theirs {
		if own[name] == dir {
			continue
		}
		if err := writeGroupFile(dir, "cgroup.procs", strconv.Itoa(joining)); err != nil {
			return fmt.Errorf("%s can't be joined: %w", dir, err)
		}
	}
	return nil
}

// groupsOf are the directories of a process' groups that are mounted here: of
// each controller, and "" for the unified hierarchy.
func groupsOf(pid string) (map[string]string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	groups, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return nil, err
	}
	h := parseHierarchies(string(mounts), string(groups))
	dirs := map[string]string{}
	for name, p := range h.v1 {
		dirs[name] = p.own
	}
	if h.unified != nil {
		dirs[""] = h.unified.own
	}
	return dirs, nil
}

// StatsOf asks the control group of a process, the first one of a sandbox that
// another process has started, what is used.
func StatsOf(pid int) (Stats, error) {
	dirs, err := groupsOf(strconv.Itoa(pid))
	if err != nil {
		return Stats{}, gone(pid, err)
	}
	g := &cgroup{v1: dirs, unified: dirs[""]}
	delete(g.v1, "")
	return g.stats(), nil
}
