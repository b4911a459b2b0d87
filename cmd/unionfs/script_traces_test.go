package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

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
	failed := make([]string, n)
	var wait sync.WaitGroup
	for i := range n {
		words := append([]string{"unionfs", args[2], "--name", fmt.Sprint("c", i)}, args[3:]...)
		wait.Go(func() {
			if out, errOut, status := runIn(ts, words); status != 0 {
				failed[i] = fmt.Sprintf("%v: exit status %d; %s%s", words, status, out, errOut)
			}
		})
	}
	wait.Wait()
	for _, f := range failed {
		if f != "" {
			ts.Fatalf("%s", f)
		}
	}
}
