package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kernel threads take groups apart after the last process is gone, and a killed
// process needs a moment to end.
const (
	groupPatience = 5 * time.Second
	groupPause    = 2 * time.Millisecond
)

// kill ends all processes of the group, frozen ones too, and waits until they
// have ended.
func (g *cgroup) kill() error {
	return g.await("its processes to end", func() bool {
		g.killOnce()
		return g.empty()
	})
}

// killOnce is done again until nobody is left.
func (g *cgroup) killOnce() {
	frozen := g.v1["freezer"]
	if g.unified == "" || writeGroupFile(g.unified, "cgroup.kill", "1") != nil {
		// Kernels before 5.14, and v1. They are held still, lest they fork
		// faster than they are counted.
		if frozen != "" {
			_ = writeGroupFile(frozen, "freezer.state", "FROZEN")
		}
		for _, pid := range g.processes() {
			_ = unix.Kill(pid, unix.SIGKILL) // it may have ended by itself
		}
	}
	if frozen != "" {
		// What v1 has frozen dies when it thaws; v2 kills the frozen.
		_ = writeGroupFile(frozen, "freezer.state", "THAWED")
	}
}

func (g *cgroup) empty() bool { return len(g.processes()) == 0 }

// processes are those of the group and of groups below it.
func (g *cgroup) processes() (pids []int) {
	for _, dir := range g.dirs() {
		_ = walkGroups(dir, func(group string) error {
			for _, word := range strings.Fields(readGroupFile(group, "cgroup.procs")) {
				// 0 is a process of another pid namespace, which isn't ours.
				if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// freeze stops all processes of the group, or lets them go on, and waits until
// they do.
func (g *cgroup) freeze(frozen bool) error {
	if dir := g.v1["freezer"]; dir != "" {
		return g.freezeV1(dir, frozen)
	}
	value := "0"
	if frozen {
		value = "1"
	}
	if g.unified == "" {
		return errors.New("the sandbox has no cgroup that could be frozen: run as root, or from a delegated cgroup (systemd-run --user --scope -p Delegate=yes COMMAND)")
	}
	if err := writeGroupFile(g.unified, "cgroup.freeze", value); err != nil {
		return fmt.Errorf("freeze the cgroup (it needs Linux 5.2): %w", err)
	}
	return g.await("cgroup.freeze "+value, func() bool {
		return strconv.FormatInt(readGroupKey(g.unified, "cgroup.events", "frozen"), 10) == value
	})
}

// freezeV1 says it again while it waits: a process that comes in meanwhile
// leaves the group in FREEZING.
func (g *cgroup) freezeV1(dir string, frozen bool) error {
	state := "THAWED"
	if frozen {
		state = "FROZEN"
	}
	var failed error
	err := g.await("freezer.state "+state, func() bool {
		failed = writeGroupFile(dir, "freezer.state", state)
		return failed != nil || readGroupFile(dir, "freezer.state") == state
	})
	return errors.Join(failed, err)
}

func (g *cgroup) await(what string, done func() bool) error {
	for end := time.Now().Add(groupPatience); !done(); time.Sleep(groupPause) {
		if time.Now().After(end) {
			return fmt.Errorf("the cgroup %s: waited %v for %s", strings.Join(g.dirs(), ", "), groupPatience, what)
		}
	}
	return nil
}

// remove takes the group away, with those that were made below it. Its
// processes must have ended.
func (g *cgroup) remove() (err error) {
	for _, dir := range g.dirs() {
		err = errors.Join(err, removeGroup(dir))
	}
	return err
}

func removeGroup(dir string) error {
	for end := time.Now().Add(groupPatience); ; time.Sleep(groupPause) {
		err := walkGroups(dir, unixRmdir)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) || inUse(dir) {
			return err
		}
	}
}

// removeDying is removeGroup for a group whose processes are about to end.
func removeDying(dir string) error {
	for end := time.Now().Add(groupPatience); ; time.Sleep(groupPause) {
		err := removeGroup(dir)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return err
		}
	}
}

// inUse says that processes are in the group: it isn't just being taken apart.
func inUse(dir string) bool { return readGroupFile(dir, "cgroup.procs") != "" }

func unixRmdir(dir string) error {
	if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

// walkGroups visits a group after all those below it.
func walkGroups(dir string, visit func(dir string) error) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			dirs = append(dirs, name)
		}
		return err
	})
	for _, d := range slices.Backward(dirs) {
		err = errors.Join(err, visit(d))
	}
	return err
}
