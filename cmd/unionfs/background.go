package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// A Go program can't fork, hence the server is this program started again with
// the same command line. Two descriptors reach it beside stderr: a pipe on
// which it says that the mount answers, and the caller's FUSE descriptor when
// there is one.
const (
	readyEnv = "_UNIONFS_READY_FD"
	fuseEnv  = "_UNIONFS_FUSE_FD"

	readyFD, fuseFD = 3, 4
)

// startServer starts the server, with the caller's FUSE descriptor (or -1) that
// target names, and comes back when its mount answers. The
// server tells the reason of a failure on stderr by itself; startServer then
// answers its exit status.
func startServer(fuse int, target string) (status int, err error) {
	return startServerAs(os.Args, fuse, target)
}

// startServerAs is startServer for a command line that isn't ours.
func startServerAs(args []string, fuse int, target string) (status int, err error) {
	ready, done, err := os.Pipe()
	if err != nil {
		return exitFailed, err
	}
	defer ready.Close()
	server, err := spawn(args, fuse, target, done)
	done.Close()
	if err != nil {
		return exitFailed, fmt.Errorf("can't start the server: %w", err)
	}
	if n, _ := ready.Read(make([]byte, 1)); n == 1 {
		return exitOK, nil
	}
	return reap(server)
}

// spawn runs the server in a session of its own, away from the signals of the
// caller's terminal. Standard output isn't handed on at all: nothing is ever
// printed there.
func spawn(args []string, fd int, target string, done *os.File) (*os.Process, error) {
	if err := keepDescriptorsHome(); err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	self, err := ownPath()
	if err != nil {
		return nil, err
	}
	env := append(os.Environ(), readyEnv+"="+strconv.Itoa(readyFD))
	files := []*os.File{null, null, os.Stderr, done}
	if fd >= 0 {
		fuse := os.NewFile(uintptr(fd), target)
		files = append(files, fuse)
		env = append(env, fuseEnv+"="+strconv.Itoa(fuseFD))
	}
	return os.StartProcess(self, args, &os.ProcAttr{
		Env: env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
}

// ownPath finds our own program also where no /proc is mounted.
func ownPath() (string, error) {
	if path, err := os.Executable(); err == nil {
		return path, nil
	}
	return exec.LookPath(os.Args[0])
}

// reap answers for a server that ended before its mount answered. It exits
// with a status that is never 0: no mount, no success.
func reap(server *os.Process) (int, error) {
	state, err := server.Wait()
	if err != nil {
		return exitFailed, fmt.Errorf("lost the server: %w", err)
	}
	if status := state.ExitCode(); status > exitOK {
		return status, nil
	}
	return exitFailed, fmt.Errorf("the server ended before the mount answered (%v)", state)
}
