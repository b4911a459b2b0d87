package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// patience is how long anything may take before a script fails, on a machine that has
// much else to do.
const patience = time.Minute

// eventually asks until the answer is yes.
func eventually(ask func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ask() {
			return true
		}
	}
	return ask()
}

// mountLine is the line of mountinfo about dir, "" without one.
func mountLine(dir string) string {
	table, _ := os.ReadFile("/proc/self/mountinfo")
	for _, line := range strings.Split(string(table), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == dir {
			return line
		}
	}
	return ""
}

// cmdMounted: [!] mounted DIR [REGEXP], the pattern matches mountinfo's line.
// It waits, for servers that run beside the script.
func cmdMounted(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	if !eventually(func() bool { return (mountLine(dir) == "") == neg }) {
		ts.Fatalf("%s: mountinfo says %q", dir, mountLine(dir))
	}
	if len(args) > 1 && !regexp.MustCompile(args[1]).MatchString(mountLine(dir)) {
		ts.Fatalf("%q doesn't match %q", mountLine(dir), args[1])
	}
}

// cmdComplain: complain STATUS REGEXP COMMAND… runs a command that must exit
// with the status, print nothing on stdout and one line on stderr.
func cmdComplain(ts *testscript.TestScript, _ bool, args []string) {
	out, errOut, status := runIn(ts, args[2:])
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, want %s; stderr: %s", status, args[0], errOut)
	}
	if out != "" || strings.Count(errOut, "\n") != 1 || !strings.HasPrefix(errOut, "unionfs: ") {
		ts.Fatalf("stdout %q, stderr %q, want one line of ours on stderr", out, errOut)
	}
	if !regexp.MustCompile(args[1]).MatchString(errOut) {
		ts.Fatalf("%q doesn't match %q", errOut, args[1])
	}
}

// cmdSilent: silent COMMAND… runs a command that must succeed without a word.
func cmdSilent(ts *testscript.TestScript, _ bool, args []string) {
	out, errOut, status := runIn(ts, args)
	if status != 0 || out+errOut != "" {
		ts.Fatalf("exit status %d, stdout %q, stderr %q; want silence", status, out, errOut)
	}
}

func runIn(ts *testscript.TestScript, args []string) (out, errOut string, status int) {
	err := ts.Exec(args[0], args[1:]...)
	if exit, ok := err.(*exec.ExitError); ok {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	return ts.ReadFile("stdout"), ts.ReadFile("stderr"), status
}

// serverOf finds the process that serves dir: the word is in its command line.
// The server of an earlier mount may still be on its way out, and the command
// that started this one too, hence it waits until one alone is left.
func serverOf(ts *testscript.TestScript, dir string) int {
	dir = ts.MkAbs(dir)
	var found []int
	if !eventually(func() bool { found = processesWith(dir); return len(found) == 1 }) {
		ts.Fatalf("the servers of %s are the processes %v, want one", dir, found)
	}
	return found[0]
}

func processesWith(word string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, _ := os.ReadFile(file)
		if bytes.Contains(line, []byte("\x00"+word+"\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// cmdSignal: signal NAME DIR sends a signal to the server of DIR.
func cmdSignal(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(unix.Kill(serverOf(ts, args[1]), unix.SignalNum("SIG"+args[0])))
}

// cmdLimits: the server of DIR may have as many descriptors as it is allowed,
// and holds none of its caller's.
func cmdLimits(ts *testscript.TestScript, _ bool, args []string) {
	proc := fmt.Sprintf("/proc/%d/", serverOf(ts, args[0]))
	limits, err := os.ReadFile(proc + "limits")
	ts.Check(err)
	if m := regexp.MustCompile(`Max open files +(\d+) +(\d+)`).FindStringSubmatch(string(limits)); m == nil || m[1] != m[2] {
		ts.Fatalf("descriptor limits %q, want the soft one raised to the hard one", m)
	}
	if cwd, err := os.Readlink(proc + "cwd"); err != nil || cwd != "/" {
		ts.Fatalf("the server's directory is %q (%v), want /", cwd, err)
	}
	for fd := range 3 {
		if to, err := os.Readlink(proc + "fd/" + strconv.Itoa(fd)); err != nil || to != "/dev/null" {
			ts.Fatalf("descriptor %d of the server is %q (%v), want /dev/null", fd, to, err)
		}
	}
}

// cmdHold: hold NAME FILE keeps FILE open until the script ends; "hold NAME"
// lets go of it.
func cmdHold(ts *testscript.TestScript, _ bool, args []string) {
	held := ts.Value(heldKey{}).(map[string]*os.File)
	if len(args) == 1 {
		held[args[0]].Close()
		return
	}
	file, err := os.Open(ts.MkAbs(args[1]))
	ts.Check(err)
	held[args[0]] = file
	ts.Defer(func() { file.Close() })
}

type heldKey struct{}

// cmdLayers: layers N VAR makes N directories with a file each, and puts their
// names, with colons between, into the variable.
func cmdLayers(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var names []string
	for i := range n {
		dir := ts.MkAbs(fmt.Sprintf("layers/a-rather-long-name-of-a-layer-%04d", i))
		ts.Check(os.MkdirAll(dir, 0o755))
		ts.Check(os.WriteFile(fmt.Sprintf("%s/f%d", dir, i), []byte(strconv.Itoa(i)), 0o644))
		names = append(names, dir)
	}
	ts.Setenv(args[1], strings.Join(names, ":"))
}
