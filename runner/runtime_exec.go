package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// runtimeExec is a further program beside one that another runtime runs. The
// runtime's own process stays with it, hands signals on, and ends as it does.
type runtimeExec struct {
	runtime *runtimeLife
	cmd     *exec.Cmd
	dir     string
	// console is the master of the terminal that cmd is in, nil without one.
	console *os.File
	exited  chan struct{}
	err     error // of cmd.Wait
}

func (l *runtimeLife) exec(ctx context.Context, p sandbox.Process, io sandbox.Stdio) (*life, error) {
	word := filepath.Base(l.runtime.Path)
	if l.filtered && p.Seccomp == nil {
		return nil, fmt.Errorf("--privileged: %s gives its container's seccomp filter to all programs in it: run the container with --privileged, or without --runtime", word)
	}
	process, err := p.OCI()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(process)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(l.runtime.Dir, "exec-")
	if err != nil {
		return nil, err
	}
	e := &runtimeExec{runtime: l, dir: dir, exited: make(chan struct{})}
	if err := e.start(ctx, &p, text, io); err != nil {
		if e.console != nil {
			e.console.Close()
		}
		os.RemoveAll(dir)
		return nil, err
	}
	return &life{e, e.console}, nil
}

func (e *runtimeExec) pidFile() string { return filepath.Join(e.dir, "pid") }

// start comes back when the program runs, or can't.
func (e *runtimeExec) start(ctx context.Context, p *sandbox.Process, process []byte, io sandbox.Stdio) error {
	file, log := filepath.Join(e.dir, "process.json"), filepath.Join(e.dir, "log")
	if err := os.WriteFile(file, process, 0o600); err != nil {
		return err
	}
	r := &e.runtime.runtime
	e.cmd = r.command(log, "exec", "--process", file, "--pid-file", e.pidFile(), r.ID)
	started, err := e.streamsOf(p, io)
	if err != nil {
		return err
	}
	err = e.cmd.Start()
	started()
	if err != nil {
		return err
	}
	go func() {
		e.err = e.cmd.Wait()
		close(e.exited)
	}()
	for {
		select {
		case <-e.exited:
			return e.ended(r.failure(log, "exec", e.err))
		case <-ctx.Done():
			_ = e.Kill()
			return ctx.Err()
		case <-time.After(execPace):
		}
		if _, err := os.Stat(e.pidFile()); err == nil {
			return nil
		}
	}
}

// execPace is how often is asked whether the program runs: the runtime tells
// nobody.
const execPace = 2 * time.Millisecond

// ended tells a program that ended at once from one that never ran: of such a one
// the runtime says something.
func (e *runtimeExec) ended(err error) error {
	var failed *runtimeError
	if errors.As(err, &failed) && failed.words != "" {
		return &sandbox.StartError{Code: failed.code(), Step: "runtime", Err: failed}
	}
	return nil
}

// Pid is the runtime's own process.
func (e *runtimeExec) Pid() int { return e.cmd.Process.Pid }

func (e *runtimeExec) Wait() (sandbox.Status, error) {
	<-e.exited
	os.RemoveAll(e.dir)
	status := sandbox.Status{Code: e.cmd.ProcessState.ExitCode(), At: time.Now()}
	if status.Code < 0 {
		status.Code = lostCode // somebody killed the runtime
	}
	return status, nil
}

func (e *runtimeExec) Signal(sig unix.Signal) error {
	if sig == unix.SIGKILL {
		return e.Kill() // nobody can hand that on
	}
	return e.cmd.Process.Signal(sig)
}

// Kill kills the program; the runtime's process ends with it.
func (e *runtimeExec) Kill() error {
	select {
	case <-e.exited:
		return nil
	default:
	}
	pid, err := readPID(e.pidFile())
	if err != nil {
		return e.cmd.Process.Kill() // there is no program yet
	}
	return unix.Kill(pid, unix.SIGKILL)
}

func (e *runtimeExec) Resize(rows, cols uint16) error {
	if err := resizeTerminal(e.console, rows, cols); err != nil {
		return err
	}
	return e.resizeInside(rows, cols)
}

// Freeze and Stats are those of the container, which it is a part of.
func (e *runtimeExec) Freeze(stop bool) error { return e.runtime.Freeze(stop) }

// Close has nothing to do: its process is gone, and the group is the container's.
func (e *runtimeExec) Close() error { return nil }

func (e *runtimeExec) Stats() sandbox.Stats { return e.runtime.Stats() }
