package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdTraceless: traceless says that no container has left anything: no snapshot,
// no mount in any mount namespace, no process and no cgroup.
func cmdTraceless(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) > 0 {
		ts.Fatalf("usage: traceless")
	}
	if !eventually(func() bool { return traces(ts) == "" }) {
		ts.Fatalf("%s", traces(ts))
	}
}

// traces names the first thing that a container of the script's store has left.
func traces(ts *testscript.TestScript) string {
	if out, _, status := runIn(ts, []string{"unionfs", "ps", "-aq"}); out != "" || status != 0 {
		return "containers are left: " + out
	}
	work := ts.Getenv("WORK")
	for _, file := range must(filepath.Glob("/proc/[0-9]*/mountinfo")) {
		text, _ := os.ReadFile(file) // gone, or somebody else's
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, work) && strings.Contains(line, "/snapshots/") {
				return "a mount is left: " + file + ": " + line
			}
		}
	}
	for _, file := range must(filepath.Glob("/proc/[0-9]*/cmdline")) {
		text, _ := os.ReadFile(file)
		if strings.Contains(string(text), work) && strings.Contains(string(text), monitorWord) {
			return "a process is left: " + file + ": " + strings.ReplaceAll(string(text), "\x00", " ")
		}
	}
	return ""
}

func must(names []string, err error) []string {
	if err != nil {
		panic(err) // a pattern is wrong
	}
	return names
}

// cmdCrowd: crowd N unionfs run FLAGS… starts N containers at once, named c0 and
// so on. All must start.
func cmdCrowd(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	crowd := make([]*exec.Cmd, n)
	for i := range crowd {
		cmd := exec.Command(lookIn(ts.Getenv("PATH"), args[1]), append([]string{args[2], "--name", fmt.Sprint("c", i)}, args[3:]...)...)
		cmd.Dir = ts.MkAbs(".")
		for _, name := range []string{"PATH", "HOME", "UNIONFS_CONFIG", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"} {
			cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
		}
		cmd.Stderr = ts.Stderr()
		ts.Check(cmd.Start())
		crowd[i] = cmd
	}
	for i, cmd := range crowd {
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("c%d: %v", i, err)
		}
	}
}
