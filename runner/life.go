package runner

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// life is a program that runs, in a sandbox of ours or by another runtime.
type life struct {
	program
	// Console is the master of its terminal, nil without one.
	Console *os.File
}

// program is what can be done to one.
type program interface {
	Pid() int
	Wait() (sandbox.Status, error)
	Signal(sig unix.Signal) error
	Kill() error
	Resize(rows, cols uint16) error
	Freeze(stop bool) error
	Stats() sandbox.Stats
	// Close ends what is left of it, and takes away what it had.
	Close() error
}

// executor is a program beside which others can be started.
type executor interface {
	exec(ctx context.Context, p sandbox.Process, io sandbox.Stdio) (*life, error)
}

func inSandbox(box *sandbox.Sandbox, err error) (*life, error) {
	if err != nil {
		return nil, err
	}
	return &life{box, box.Console}, nil
}
