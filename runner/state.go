package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
)

// Status is what a container is doing.
type Status string

// The statuses, by docker's names.
const (
	Created Status = "created"
	Running Status = "running"
	Exited  Status = "exited"
)

// State is what became of a container: state.json.
type State struct {
	Status     Status    `json:"status"`
	PID        int       `json:"pid,omitempty"`     // of its process 1, on the host
	Monitor    int       `json:"monitor,omitempty"` // the process that serves it
	ExitCode   int       `json:"exitCode"`
	OOMKilled  bool      `json:"oomKilled,omitempty"`
	Paused     bool      `json:"paused,omitempty"` // it runs, but is stopped for a while
	Error      string    `json:"error,omitempty"`  // why it didn't start
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
}

const (
	stateFile   = "state.json"
	monitorFile = "monitor"
)

// lostCode is the exit code of a container whose monitor was killed: the
// kernel kills it along.
const lostCode = 137

// state reads what is on disk and corrects what a killed monitor left there.
func (r *Runner) state(n *layerstore.Snapshot) (State, error) {
	s, err := readState(n)
	if err != nil || s.Status != Running || monitored(n) {
		return s, err
	}
	// It may have ended well between the two looks.
	if s, err = readState(n); err != nil || s.Status != Running {
		return s, err
	}
	s.Status, s.PID, s.Monitor, s.Paused = Exited, 0, 0, false
	s.ExitCode, s.Error = lostCode, "its monitor was killed"
	return s, nil
}

func readState(n *layerstore.Snapshot) (State, error) {
	s := State{Status: Created}
	text, err := os.ReadFile(filepath.Join(n.Dir(), stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("container %s: its state: %w", n.Short(), err)
	}
	return s, nil
}

// writeState replaces state.json in one step. It is for this run of the machine
// alone, and isn't synced.
func writeState(n *layerstore.Snapshot, s State) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(n.Dir(), stateFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// monitorLock is held by a container's monitor.
type monitorLock struct{ f *os.File }

// errMonitored says that somebody else is the monitor.
var errMonitored = errors.New("it is running")

// lockMonitor makes this process the container's monitor. The lock goes with
// the last descriptor (flock(2)), which no child inherits.
func lockMonitor(n *layerstore.Snapshot) (monitorLock, error) {
	f, err := os.OpenFile(filepath.Join(n.Dir(), monitorFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return monitorLock{}, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			err = errMonitored
		}
		return monitorLock{}, err
	}
	return monitorLock{f}, nil
}

// lockStill is lockMonitor for those who have seen that a container has ended. Its
// monitor writes that down before it lets go of the lock, and answers nobody then.
func lockStill(ctx context.Context, n *layerstore.Snapshot) (monitorLock, error) {
	for deadline := time.Now().Add(lockPatience); ; {
		l, err := lockMonitor(n)
		if err != errMonitored {
			return l, err
		}
		// It may also be one that starts it anew.
		if st, serr := readState(n); serr != nil || st.Status != Exited || time.Now().After(deadline) {
			return l, err
		}
		if err := pause(ctx); err != nil {
			return l, err
		}
	}
}

// lockPatience is for machines on which much else is going on.
const lockPatience = 10 * time.Second

// release unlocks: to close the file would leave the lock to a thread that still has
// a copy of the descriptor, as those of driver.Apart have until they are gone.
func (l monitorLock) release() {
	_ = unix.Flock(int(l.f.Fd()), unix.LOCK_UN)
	l.f.Close()
}

// monitored tells whether somebody is the monitor.
func monitored(n *layerstore.Snapshot) bool {
	l, err := lockMonitor(n)
	if err == nil {
		l.release()
	}
	return err == errMonitored
}
