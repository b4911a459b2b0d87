package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// cmdEOF: eof COMMAND… runs a command with pipes as stdout, stderr and as a
// descriptor it never heard of, and wants the end of all three soon after the
// command's own. podman and containerd wait like that.
func cmdEOF(ts *testscript.TestScript, _ bool, args []string) {
	path := lookIn(ts.Getenv("PATH"), args[0])
	cmd := &exec.Cmd{Path: path, Args: args, Dir: ts.MkAbs("."), Env: []string{"PATH=" + ts.Getenv("PATH")}}
	var ends []*os.File
	var ours []*os.File
	for range 3 {
		r, w, err := os.Pipe()
		ts.Check(err)
		defer r.Close()
		ends, ours = append(ends, w), append(ours, r)
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = ends[0], ends[1], ends[2:]
	ts.Check(cmd.Start())
	for _, w := range ends {
		w.Close()
	}
	if err := cmd.Wait(); err != nil {
		said, _ := io.ReadAll(ours[1])
		ts.Fatalf("%v: %s", err, said)
	}
	for i, r := range ours {
		ts.Check(r.SetReadDeadline(time.Now().Add(patience)))
		if said, err := io.ReadAll(r); err != nil || len(said) > 0 {
			ts.Fatalf("pipe %d: %q, %v; want its end and nothing before it", i, said, err)
		}
	}
}

func lookIn(path, name string) string {
	for _, dir := range splitEscaped(path, ':') {
		if _, err := os.Stat(dir + "/" + name); err == nil {
			return dir + "/" + name
		}
	}
	return name
}

// cmdOnFuse: onfuse DIR COMMAND… mounts a fresh FUSE descriptor at DIR and
// runs the command with the descriptor as number 3 and /dev/fd/3 as its last
// word, as apptainer does.
func cmdOnFuse(ts *testscript.TestScript, _ bool, args []string) {
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	ts.Check(err)
	defer dev.Close()
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", dev.Fd())
	ts.Check(unix.Mount("apptainer", ts.MkAbs(args[0]), "fuse", unix.MS_NOSUID|unix.MS_NODEV, options))
	cmd := exec.Command(lookIn(ts.Getenv("PATH"), args[1]), append(args[2:], "/dev/fd/3")...)
	cmd.Dir, cmd.ExtraFiles = ts.MkAbs("."), []*os.File{dev}
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		ts.Fatalf("%v: %q, want silence", err, out)
	}
}
