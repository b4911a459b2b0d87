package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// Another runtime wants its root and its mounts at paths, and leaves a container
// behind that nobody waits for. A keeper is a process of ours, in a mount
// namespace of its own, that has the one and does the other: the monitor's mounts
// are at paths there alone, and go with it; the container's process 1 becomes its
// child (prctl(2), PR_SET_CHILD_SUBREAPER). When the monitor dies the keeper ends
// the container. They speak JSON over a socket: the job, what became of it, the
// word to start the program, whether that went well, and how it ended.

// KeeperWord is the command that is a keeper.
const KeeperWord = "__keeper"

// What a keeper finds open: the socket, the program's streams, and mounts from
// there on, the root first.
const (
	keeperSocket = 3
	keeperStdio  = 4
	keeperMounts = 7
)

// keeperJob is what a keeper is told.
type keeperJob struct {
	Runtime runtimeCommand `json:"runtime"`
	// Mounts are the places, in the bundle's folder, of the mounts it is given.
	Mounts []string `json:"mounts"`
	// Console is the socket that a terminal's master is sent to; "" without one.
	Console string `json:"console,omitempty"`
}

// keeperNews is what a keeper says, at each of the steps.
type keeperNews struct {
	PID    int             `json:"pid,omitempty"`
	Error  string          `json:"error,omitempty"`
	Code   int             `json:"code,omitempty"` // of the error
	Status *sandbox.Status `json:"status,omitempty"`
}

func (n *keeperNews) err(step string) error {
	if n.Error == "" {
		return nil
	}
	return &sandbox.StartError{Code: n.Code, Step: step, Err: errors.New(n.Error)}
}

// Keep is a keeper's life.
func Keep() error {
	socket := os.NewFile(keeperSocket, "monitor")
	unix.CloseOnExec(keeperSocket)
	defer socket.Close()
	in, out := json.NewDecoder(socket), json.NewEncoder(socket)
	var job keeperJob
	if err := in.Decode(&job); err != nil {
		return fmt.Errorf("a keeper is started by a container's monitor: %w", err)
	}
	pid, err := job.create()
	if err != nil {
		err = job.Runtime.delete(err)
		return out.Encode(news(err))
	}
	group, _ := sandbox.GroupOf(pid) // without one there is nothing to tell
	if err := job.start(pid, in, out); err != nil {
		_ = unix.Kill(pid, unix.SIGKILL) // our child: the number is its own until it is reaped
		waitChild(pid, in)
		err = job.Runtime.delete(err)
		return out.Encode(news(err))
	}
	status := waitChild(pid, in)
	status.OOMKilled = group.OOMKilled()
	last := keeperNews{Status: &status}
	if err := job.Runtime.delete(nil); err != nil {
		last.Error = err.Error()
	}
	return out.Encode(last)
}

// start runs the program when the monitor says so: it says nothing when it has
// given up, or has died.
func (j *keeperJob) start(pid int, in *json.Decoder, out *json.Encoder) error {
	if err := out.Encode(keeperNews{PID: pid}); err != nil {
		return err
	}
	var word string
	if err := in.Decode(&word); err != nil {
		return err
	}
	if err := j.Runtime.run("start", j.Runtime.ID); err != nil {
		return err
	}
	return out.Encode(keeperNews{})
}

// news is an error in words for the monitor.
func news(err error) keeperNews {
	n := keeperNews{Error: err.Error(), Code: 125}
	var failed *runtimeError
	if errors.As(err, &failed) {
		n.Code = failed.code()
	}
	return n
}

// create puts the mounts in their places, and makes the container.
func (j *keeperJob) create() (pid int, err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, os.NewSyscallError("prctl", err)
	}
	for i, place := range j.Mounts {
		if err := putMount(keeperMounts+i, filepath.Join(j.Runtime.Dir, place)); err != nil {
			return 0, err
		}
	}
	hideUnified(j.Runtime.Path)
	pidFile := filepath.Join(j.Runtime.Dir, "pid")
	words := []string{"create", "--bundle", j.Runtime.Dir, "--pid-file", pidFile}
	if j.Console != "" {
		words = append(words, "--console-socket", j.Console)
	}
	log := filepath.Join(j.Runtime.Dir, "create.log")
	cmd := j.Runtime.command(log, append(words, j.Runtime.ID)...)
	var stdio [3]*os.File
	for i := range stdio {
		unix.CloseOnExec(keeperStdio + i)
		stdio[i] = os.NewFile(uintptr(keeperStdio+i), "stream")
		defer stdio[i].Close()
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdio[0], stdio[1], stdio[2]
	if err := j.Runtime.failure(log, "create", cmd.Run()); err != nil {
		return 0, err
	}
	return readPID(pidFile)
}

func readPID(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("the runtime says that its container is process %q", text)
	}
	return pid, nil
}

// putMount attaches a mount that is in no tree, and keeps its descriptor from the
// runtime.
func putMount(fd int, place string) error {
	unix.CloseOnExec(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := os.MkdirAll(place, 0o700); err != nil {
			return err
		}
	} else if err := os.WriteFile(place, nil, 0o600); err != nil {
		return err
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, place, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("%s: can't be mounted: %w", place, err)
	}
	return unix.Close(fd)
}

// waitChild reaps all children until one has ended, and ends it when the monitor
// goes.
func waitChild(pid int, monitor *json.Decoder) sandbox.Status {
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		go func() {
			var nothing string
			_ = monitor.Decode(&nothing) // returns when the monitor is gone
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}()
	}
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case err == unix.EINTR, err == nil && got != pid:
		case err != nil:
			return sandbox.Status{Code: lostCode, Signal: int(unix.SIGKILL), At: time.Now()}
		case ws.Signaled():
			return sandbox.Status{Code: 128 + int(ws.Signal()), Signal: int(ws.Signal()), At: time.Now()}
		default:
			return sandbox.Status{Code: ws.ExitStatus(), At: time.Now()}
		}
	}
}

// startKeeper starts one, in a mount namespace of its own.
func startKeeper(socket *os.File, io sandbox.Stdio, mounts []*os.File) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, KeeperWord)
	cmd.Args[0] = "unionfs"
	cmd.ExtraFiles = append([]*os.File{socket, io.In, io.Out, io.Err}, mounts...)
	// Away from the signals of our terminal, which are the program's.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Setsid: true}
	return cmd, cmd.Start()
}
