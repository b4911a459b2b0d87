package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// runtimeLife is a container's program that another runtime runs.
type runtimeLife struct {
	runtime runtimeCommand
	// filtered says that the container has a seccomp filter.
	filtered bool
	console  *os.File
	group    sandbox.Group
	keeper   *exec.Cmd
	socket   *net.UnixConn
	news     *json.Decoder
	warn     func(string)

	// mu guards the process' handle, -1 when it has ended.
	mu     sync.Mutex
	pid    int
	pidfd  int
	frozen atomic.Bool

	exited chan struct{}
	status sandbox.Status
}

// checkRuntime finds what another runtime can't do.
func (s *Spec) checkRuntime() error {
	if s.Runtime == "" {
		return nil
	}
	if s.Init {
		return fmt.Errorf("--runtime=%s: --init is a part of our own runtime: leave one of them out, or have an init in the image", s.Runtime)
	}
	for _, m := range s.storage() {
		if m.Type == ImageMount && m.Subpath != "" {
			return fmt.Errorf("--runtime=%s: image-subpath=%s is done by our own runtime alone: mount all of the image", s.Runtime, m.Subpath)
		}
	}
	path, err := findRuntime(s.Runtime)
	if strings.Contains(s.Runtime, "/") {
		s.Runtime = path // wherever it is started again
	}
	return err
}

// startRuntime has the container's plan done by another runtime.
func (m *monitor) startRuntime(ctx context.Context) (*life, error) {
	l, err := m.createRuntime(ctx)
	if err != nil {
		var start *sandbox.StartError
		if !errors.As(err, &start) {
			err = &sandbox.StartError{Code: 125, Step: "runtime", Err: err}
		}
		return nil, err
	}
	if err := m.network(l.pid); err != nil {
		l.giveUp()
		return nil, &sandbox.StartError{Code: 125, Step: "network", Err: err}
	}
	if err := m.enterRoot(l.pid); err != nil {
		l.giveUp()
		return nil, &sandbox.StartError{Code: 125, Step: "root", Err: err}
	}
	if err := l.release(); err != nil {
		return nil, err
	}
	go l.await()
	return &life{l, l.console}, nil
}

// createRuntime gets the container made, up to its program.
func (m *monitor) createRuntime(ctx context.Context) (*runtimeLife, error) {
	path, err := findRuntime(m.c.Spec.Runtime)
	if err != nil {
		return nil, err
	}
	// A folder of its own: the keeper of an earlier, killed monitor may not be
	// done yet.
	dir, err := os.MkdirTemp(m.ctl.dir, "oci-")
	if err != nil {
		return nil, err
	}
	l := &runtimeLife{runtime: runtimeCommand{Path: path, ID: m.c.ID, Dir: dir}, pidfd: -1, warn: m.r.Warn, filtered: m.plan.Process.Seccomp != nil, exited: make(chan struct{})}
	job := keeperJob{Runtime: l.runtime}
	mounts, err := m.writeBundle(&job)
	if err != nil {
		return nil, err
	}
	var console *consoleSocket
	if m.plan.Process.TTY {
		if console, err = listenConsole(m.ctl.dir); err != nil {
			return nil, err
		}
		defer console.close()
		job.Console = console.path
	}
	if err := l.startKeeper(&job, m.plan.Stdio, mounts); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { l.hangUp() })
	defer stop()
	err = l.created(console)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		l.giveUp()
		return nil, err
	}
	return l, nil
}

// writeBundle writes config.json, in which the mounts that the monitor has opened
// are at paths that the keeper gives them.
func (m *monitor) writeBundle(job *keeperJob) ([]*os.File, error) {
	dir := job.Runtime.Dir
	plan := m.plan
	plan.Mounts = append([]sandbox.Mount(nil), m.plan.Mounts...)
	if plan.Cgroup.Name = ""; m.facts.InitialUserNS {
		// Elsewhere a runtime goes on without a group that it can't make, unless
		// somebody has given it a name.
		plan.Cgroup.Name = groupName(m.c.Short()) + "-" + filepath.Base(dir)
	}
	job.Mounts = []string{"rootfs"}
	files := []*os.File{m.root}
	if err := os.MkdirAll(filepath.Join(dir, "mounts"), 0o700); err != nil {
		return nil, err
	}
	for i := range plan.Mounts {
		mount := &plan.Mounts[i]
		if mount.Fd == nil {
			continue
		}
		place := filepath.Join("mounts", strconv.Itoa(i))
		job.Mounts, files = append(job.Mounts, place), append(files, mount.Fd)
		mount.Source, mount.Fd = filepath.Join(dir, place), nil
	}
	if len(plan.IDMaps.UIDs) > 0 {
		return nil, fmt.Errorf("--userns=%s: ids of its own aren't to be had with --runtime=%s: leave one of them out", m.c.Spec.UserMode, m.c.Spec.Runtime)
	}
	plan.Process.Capabilities = m.facts.had(plan.Process.Capabilities)
	config, err := plan.OCI(m.facts.InitialUserNS)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	return files, os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600)
}

func (l *runtimeLife) startKeeper(job *keeperJob, io sandbox.Stdio, mounts []*os.File) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "keeper"), os.NewFile(uintptr(pair[1]), "keeper")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return err
	}
	l.socket = conn.(*net.UnixConn)
	l.news = json.NewDecoder(l.socket)
	if l.keeper, err = startKeeper(theirs, io, mounts); err != nil {
		l.socket.Close()
		return fmt.Errorf("the keeper can't be started: %w", err)
	}
	return json.NewEncoder(l.socket).Encode(job)
}

// hear waits for the keeper's next word.
func (l *runtimeLife) hear() (keeperNews, error) {
	var n keeperNews
	if err := l.news.Decode(&n); err != nil {
		return n, fmt.Errorf("the keeper of the container is gone: %w", err)
	}
	return n, n.err("runtime")
}

// created waits until the container is there.
func (l *runtimeLife) created(console *consoleSocket) error {
	n, err := l.hear()
	if err != nil {
		return err
	}
	l.pid = n.PID
	if l.pidfd, err = unix.PidfdOpen(l.pid, 0); err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	l.group, _ = sandbox.GroupOf(l.pid) // without one there is nothing to count
	if console != nil {
		l.console, err = console.accept()
	}
	return err
}

// enterRoot makes the container's own root of the monitor's: what is mounted in
// it is seen there alone.
func (m *monitor) enterRoot(pid int) error {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Dup3(fd, int(m.root.Fd()), unix.O_CLOEXEC)
}

// release has the program started.
func (l *runtimeLife) release() error {
	err := json.NewEncoder(l.socket).Encode("go")
	if err == nil {
		_, err = l.hear()
	}
	if err != nil {
		l.giveUp()
	}
	return err
}

// hangUp tells the keeper to end it all.
func (l *runtimeLife) hangUp() { _ = l.socket.CloseWrite() }

// giveUp takes a container back that was never seen to run.
func (l *runtimeLife) giveUp() {
	l.hangUp()
	_ = l.keeper.Wait() // it has said what there is to say
	l.end()
}

// end lets go of what there is of it here.
func (l *runtimeLife) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pidfd >= 0 {
		unix.Close(l.pidfd)
		l.pidfd = -1
	}
	l.socket.Close()
}

// await hears how it ended.
func (l *runtimeLife) await() {
	n, err := l.hear()
	if n.Status != nil {
		l.status = *n.Status
		if n.Error != "" {
			l.warn(n.Error)
		}
	} else {
		// Somebody has killed the keeper.
		_ = l.Signal(unix.SIGKILL) // it may have ended
		l.status = sandbox.Status{Code: lostCode, Signal: int(unix.SIGKILL), At: time.Now()}
		if err = l.runtime.delete(err); err != nil {
			l.warn(err.Error())
		}
	}
	_ = l.keeper.Wait() // its status says nothing that it hasn't said
	l.end()
	close(l.exited)
}

func (l *runtimeLife) Pid() int { return l.pid }

func (l *runtimeLife) Wait() (sandbox.Status, error) {
	<-l.exited
	return l.status, nil
}

func (l *runtimeLife) Signal(sig unix.Signal) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pidfd < 0 {
		return os.ErrProcessDone
	}
	return unix.PidfdSendSignal(l.pidfd, sig, nil, 0)
}

// Kill ends process 1; what is left without it goes with the runtime's delete.
func (l *runtimeLife) Kill() error {
	err := l.Signal(unix.SIGKILL)
	if l.frozen.Load() {
		err = errors.Join(err, l.Freeze(false)) // the frozen die when they thaw
	}
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

func (l *runtimeLife) Freeze(stop bool) error {
	if stop {
		l.frozen.Store(true)
		return l.runtime.run("pause", l.runtime.ID)
	}
	err := l.runtime.run("resume", l.runtime.ID)
	if err == nil {
		l.frozen.Store(false)
	}
	return err
}

func (l *runtimeLife) Resize(rows, cols uint16) error { return resizeTerminal(l.console, rows, cols) }

// Close finds all done: await does it with the end.
func (l *runtimeLife) Close() error { return nil }

func (l *runtimeLife) Stats() sandbox.Stats { return l.group.Stats() }
