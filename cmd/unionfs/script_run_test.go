package main

import (
	"archive/tar"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// busyboxProgram is Debian's busybox-static.
const busyboxProgram = "/bin/busybox"

// cmdBusybox: busybox FILE makes the tar of a small root file system.
func cmdBusybox(ts *testscript.TestScript, _ bool, args []string) {
	program, err := os.ReadFile(busyboxProgram)
	if err != nil {
		ts.Fatalf("needs %s (Debian's busybox-static): %v", busyboxProgram, err)
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	w := tar.NewWriter(f)
	add := func(h tar.Header, body []byte) {
		h.Size = int64(len(body))
		ts.Check(w.WriteHeader(&h))
		_, err := w.Write(body)
		ts.Check(err)
	}
	for _, dir := range []string{"bin/", "dev/", "etc/", "proc/", "root/", "sys/", "var/"} {
		add(tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	add(tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}, nil)
	add(tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, program)
	for _, name := range strings.Fields("sh cat echo ls id pwd hostname wc sleep touch true ip mount df ps head grep kill test mkdir mknod rm env ln readlink cp stat chown find") {
		add(tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
	}
	add(tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\n"))
	add(tar.Header{Name: "etc/group", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:\n"))
	ts.Check(w.Close())
}

// cmdStatus: status N COMMAND… must exit with the status.
func cmdStatus(ts *testscript.TestScript, _ bool, args []string) {
	out, errOut, status := runIn(ts, args[1:])
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, want %s; stdout %q, stderr %q", status, args[0], out, errOut)
	}
}

// cmdWaitLog: waitlog CONTAINER WORD waits until the container has printed it.
func cmdWaitLog(ts *testscript.TestScript, _ bool, args []string) {
	if !eventually(func() bool {
		out, _, _ := runIn(ts, []string{"unionfs", "logs", args[0]})
		return strings.Contains(out, args[1])
	}) {
		ts.Fatalf("%s never printed %q", args[0], args[1])
	}
}

// cmdWaitFile: waitfile FILE REGEXP waits until a process beside the script has
// written what matches.
func cmdWaitFile(ts *testscript.TestScript, _ bool, args []string) {
	file, pattern := ts.MkAbs(args[0]), regexp.MustCompile(args[1])
	if !eventually(func() bool { text, err := os.ReadFile(file); return err == nil && pattern.Match(text) }) {
		text, err := os.ReadFile(file)
		ts.Fatalf("%s has %q (%v), which doesn't match %q", args[0], text, err, args[1])
	}
}

// cmdKillMonitor: killmonitor CONTAINER kills the process that serves it.
func cmdKillMonitor(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(unix.Kill(parentOf(ts, processOf(ts, args[0])), unix.SIGKILL))
}

// cmdKillGrandparent: killgrandparent CONTAINER kills the monitor of one that
// another runtime runs: a keeper is between the two.
func cmdKillGrandparent(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(unix.Kill(parentOf(ts, parentOf(ts, processOf(ts, args[0]))), unix.SIGKILL))
}

func processOf(ts *testscript.TestScript, container string) int {
	out, _, status := runIn(ts, []string{"unionfs", "inspect", container})
	var all []struct{ State struct{ Pid int } }
	if err := json.Unmarshal([]byte(out), &all); err != nil || status != 0 || all[0].State.Pid == 0 {
		ts.Fatalf("no process of %s is known: %v", container, err)
	}
	return all[0].State.Pid
}

// parentOf reads proc_pid_stat(5).
func parentOf(ts *testscript.TestScript, pid int) int {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/stat")
	ts.Check(err)
	defer f.Close()
	text, err := io.ReadAll(f)
	ts.Check(err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	parent, err := strconv.Atoi(fields[1])
	ts.Check(err)
	return parent
}
