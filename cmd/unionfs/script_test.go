package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// links are the names that the program is called by in the scripts.
var links = []string{"unionfs", "fuse-overlayfs", "mount.unionfs", "mount.fuse.unionfs"}

// TestScripts runs the real program, mounting for real. It needs /dev/fuse,
// and fusermount3 for an ordinary user.
func TestScripts(t *testing.T) {
	needFuse(t)
	bin := programs(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("BIN", bin)
			env.Setenv("PATH", bin+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
			env.Values[heldKey{}] = map[string]*os.File{}
			env.Defer(func() { sweep(env.WorkDir) })
			return setUpStore(env)
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"mounted":         cmdMounted,
			"complain":        cmdComplain,
			"silent":          cmdSilent,
			"signal":          cmdSignal,
			"eof":             cmdEOF,
			"onfuse":          cmdOnFuse,
			"hold":            cmdHold,
			"layers":          cmdLayers,
			"limits":          cmdLimits,
			"registry":        cmdRegistry,
			"busybox":         cmdBusybox,
			"status":          cmdStatus,
			"waitlog":         cmdWaitLog,
			"waitfile":        cmdWaitFile,
			"killmonitor":     cmdKillMonitor,
			"killgrandparent": cmdKillGrandparent,
			"database":        cmdDatabase,
			"cupboard":        cmdCupboard,
			"killafter":       cmdKillAfter,
			"traceless":       cmdTraceless,
			"unreachable":     cmdUnreachable,
			"lean":            cmdLean,
			"crowd":           cmdCrowd,
		},
		RequireExplicitExec: true,
	})
}

// needFuse skips a test on machines without FUSE, and fails it in CI.
func needFuse(t *testing.T) {
	t.Helper()
	err := fuseWorks()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("this test needs FUSE: %v", err)
	default:
		t.Skipf("this test needs FUSE: %v", err)
	}
}

func fuseWorks() error {
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	dev.Close()
	if os.Geteuid() != 0 {
		_, err = exec.LookPath("fusermount3")
	}
	return err
}

// programs is a directory with the program under all its names. UNIONFS_BIN
// names a program that is built already, for users who can't build.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program := os.Getenv("UNIONFS_BIN")
	if program == "" {
		program = filepath.Join(dir, "program")
		build := exec.Command("go", "build", "-o", program, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	for _, name := range links {
		if err := os.Symlink(program, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// condition tells the scripts who runs them: "root" is user 0 in any user
// namespace, "initial" says that it is the machine's own, "machine" is both.
func condition(name string) (bool, error) {
	switch name {
	case "machine":
		initial, err := condition("initial")
		return initial && os.Geteuid() == 0, err
	case "root":
		return os.Geteuid() == 0, nil
	case "initial":
		ids, err := os.ReadFile("/proc/self/uid_map")
		return strings.Contains(string(ids), "4294967295"), err
	}
	return false, nil
}

// sweep takes away what a failed script left mounted.
func sweep(dir string) {
	for _, m := range mountsBelow(dir) {
		if unix.Unmount(m, unix.MNT_DETACH) != nil {
			_ = exec.Command("fusermount3", "-u", "-z", m).Run()
		}
	}
}

// mountsBelow lists the mount points in dir, the newest first.
func mountsBelow(dir string) (points []string) {
	table, _ := os.ReadFile("/proc/self/mountinfo")
	for _, line := range strings.Split(string(table), "\n") {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir) {
			points = append([]string{fields[4]}, points...)
		}
	}
	return points
}
