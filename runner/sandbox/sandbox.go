package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Sandbox is a running one, or a further process in one.
type Sandbox struct {
	// Console is the master of the program's terminal, nil without one.
	Console *os.File

	// mu guards the process' number and handle, which may be used as long as
	// it wasn't reaped.
	mu     sync.Mutex
	pid    int
	pidfd  int // -1 on kernels that have none
	reaped bool
	doomed bool // it is to be killed as soon as it is there

	sock  int // -1 once the program runs
	calls []callName

	args0  string
	ownPID bool // it is process 1: its end is the end of all
	cgroup *cgroup
	strays *strays // with neither

	exited chan struct{}
	status Status
	closed sync.Once
	frozen atomic.Bool // it may be, since Freeze
}

func newSandbox(p *Process) *Sandbox {
	return &Sandbox{pidfd: -1, sock: -1, args0: p.Args[0], exited: make(chan struct{})}
}

// Create makes a sandbox in which all is ready but the program, which waits for
// Release. Meanwhile its namespaces can be given what only the outside has (a
// network): by the caller when Create is done, or by meanwhile (nil for nobody),
// which is called with the number of a process in the namespaces while the
// inside makes the rest.
func Create(ctx context.Context, s Spec, meanwhile func(pid int) error) (*Sandbox, error) {
	if err := s.prepare(); err != nil {
		return nil, &StartError{Code: 125, Step: "spec", Err: err}
	}
	b := &builder{spec: &s, process: &s.Process, stdio: s.Stdio, steps: Plan(&s), flags: s.newFlags(), sb: newSandbox(&s.Process)}
	b.sb.ownPID = s.isNew(PIDNS)
	b.meanwhile = meanwhile
	b.compile()
	var err error
	if b.enter, err = s.openNamespaces(); err != nil {
		return nil, &StartError{Code: 125, Step: "namespaces", Err: err}
	}
	defer closeAll(b.enter)
	if b.enter[UserNS] != nil {
		// The new ones are to belong to the user namespace that is entered.
		b.flags, b.unshare = 0, b.flags
	}
	b.twice = b.enter[PIDNS] != nil || b.unshare&unix.CLONE_NEWPID != 0
	sb, err := b.run(ctx)
	if err == nil && !sb.ownPID && sb.cgroup == nil {
		if sb.strays, err = straysOf(sb.pid); err != nil {
			sb.Close()
			return nil, asStartError(ctx, "sandbox", err)
		}
	}
	return sb, err
}

// run builds, and leaves nothing behind when that fails.
func (b *builder) run(ctx context.Context) (*Sandbox, error) {
	stop := context.AfterFunc(ctx, func() { _ = b.sb.Kill() })
	defer stop()
	err := b.build()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		b.sb.Close()
		return nil, asStartError(ctx, "sandbox", err)
	}
	return b.sb, nil
}

// asStartError says of a caller who has given up just that.
func asStartError(ctx context.Context, step string, err error) error {
	if ctx.Err() != nil {
		return &StartError{Code: 125, Step: step, Err: ctx.Err()}
	}
	var start *StartError
	if errors.As(err, &start) {
		return start
	}
	return &StartError{Code: 125, Step: step, Err: err}
}

// prepare checks what is told, and completes it.
func (s *Spec) prepare() (err error) {
	if (s.RootMount == nil) == (s.RootPath == "") {
		return errors.New("a root is needed: RootPath, or a detached mount in RootMount")
	}
	if err := errors.Join(s.checkNamespaces(), s.checkSysctls(), s.Process.check(), s.Cgroup.check()); err != nil {
		return err
	}
	if (s.Hostname != "" || s.Domainname != "") && !s.isNew(UTSNS) {
		return errors.New("a host name needs a uts namespace of its own: the host's would change")
	}
	s.Devices, err = resolveDevices(s.Devices)
	return err
}

// Start makes a sandbox and runs its program.
func Start(ctx context.Context, s Spec) (*Sandbox, error) {
	sb, err := Create(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	if err := sb.Release(ctx); err != nil {
		return nil, err
	}
	return sb, nil
}

// Release starts the program of a sandbox that was created. When it can't be
// executed the error says so, and the sandbox is gone.
func (sb *Sandbox) Release(ctx context.Context) error {
	if sb.sock < 0 {
		return &StartError{Code: 125, Step: "execute", Err: errors.New("the program has been started already")}
	}
	stop := context.AfterFunc(ctx, func() { _ = sb.Kill() })
	defer stop()
	err := sb.release()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		sb.Close()
		return asStartError(ctx, "execute", err)
	}
	return nil
}

func (sb *Sandbox) release() error {
	defer sb.closeSocket()
	if err := send(sb.sock, []byte(goWord)); err != nil {
		return fmt.Errorf("our process in the sandbox is gone: %w", err)
	}
	body, fds, err := receive(sb.sock)
	closeFDs(fds)
	if err == io.EOF {
		return nil // closed by execve
	}
	if err != nil {
		return err
	}
	if f, ok := parseFailure(body, failureTag); ok {
		return sb.programError(f)
	}
	return errors.New("the sandbox says what it must not")
}

// programError finds the words for a call that failed.
func (sb *Sandbox) programError(f failure) error {
	errno := unix.Errno(f.errno)
	if int(f.index) >= len(sb.calls) {
		return &StartError{Code: 125, Step: "execute", Err: errno}
	}
	c := sb.calls[f.index]
	if c.Exec {
		return executeError(sb.args0, errno)
	}
	return &StartError{Code: 125, Step: c.Step, Err: fmt.Errorf("%s: %w", c.Name, errno)}
}

func (sb *Sandbox) preludeError(calls []call, f failure) error {
	errno := unix.Errno(f.errno)
	if int(f.index) >= len(calls) {
		return &StartError{Code: 125, Step: "namespaces", Err: errno}
	}
	return &StartError{Code: 125, Step: "namespaces", Err: fmt.Errorf("%s: %w", calls[f.index].name, errno)}
}

func (sb *Sandbox) closeSocket() {
	if sb.sock >= 0 {
		unix.Close(sb.sock)
		sb.sock = -1
	}
}

// Pid is the host's number of the sandbox's first process, or of the further
// one.
func (sb *Sandbox) Pid() int { return sb.pid }

func (sb *Sandbox) born(pid int) {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	sb.pid = pid
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		sb.pidfd = fd
	}
	if sb.doomed {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// reap waits for the end of the process, on the thread that made it. Until the
// lock is held the number stays the process'.
func (sb *Sandbox) reap() {
	for unix.Waitid(unix.P_PID, sb.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	var ws unix.WaitStatus
	sb.mu.Lock()
	for {
		if _, err := unix.Wait4(sb.pid, &ws, 0, nil); err != unix.EINTR {
			break
		}
	}
	sb.reaped = true
	sb.mu.Unlock()
	sb.status = Status{Code: ws.ExitStatus(), At: time.Now()}
	if ws.Signaled() {
		sb.status.Signal = int(ws.Signal())
		sb.status.Code = 128 + sb.status.Signal
	}
	if sb.cgroup != nil {
		sb.status.OOMKilled = sb.cgroup.oomKilled()
	}
	close(sb.exited)
}

// Wait waits for the end of the program.
func (sb *Sandbox) Wait() (Status, error) {
	<-sb.exited
	return sb.status, nil
}

// Done is closed when the program has ended.
func (sb *Sandbox) Done() <-chan struct{} { return sb.exited }

// Signal sends a signal to the program; os.ErrProcessDone says that it has
// ended.
func (sb *Sandbox) Signal(sig unix.Signal) error {
	sb.mu.Lock()
	defer sb.mu.Unlock()
	switch {
	case sb.pid == 0:
		sb.doomed = sb.doomed || sig == unix.SIGKILL
		return os.ErrProcessDone
	case sb.reaped:
		return os.ErrProcessDone
	case sb.pidfd >= 0:
		return unix.PidfdSendSignal(sb.pidfd, sig, nil, 0)
	}
	return unix.Kill(sb.pid, sig)
}

// Kill ends all processes of the sandbox.
func (sb *Sandbox) Kill() error {
	err := sb.Signal(unix.SIGKILL)
	if sb.frozen.Load() {
		err = errors.Join(err, sb.Freeze(false)) // the frozen die when they thaw
	}
	if !sb.ownPID && sb.cgroup != nil {
		return errors.Join(ignoreDone(err), sb.cgroup.kill())
	}
	if sb.strays != nil {
		return errors.Join(ignoreDone(err), sb.strays.kill())
	}
	return ignoreDone(err)
}

// ignoreDone: who has ended needs no killing.
func ignoreDone(err error) error {
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// Resize tells the program's terminal its size.
func (sb *Sandbox) Resize(rows, cols uint16) error {
	if sb.Console == nil {
		return errors.New("the program has no terminal")
	}
	raw, err := sb.Console.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	})
	return errors.Join(err, set)
}

// Close ends what still runs, and removes what the sandbox had.
func (sb *Sandbox) Close() (err error) {
	sb.closed.Do(func() { err = sb.close() })
	return err
}

func (sb *Sandbox) close() (err error) {
	if sb.pid != 0 {
		err = sb.Kill()
		<-sb.exited
	}
	sb.closeSocket()
	if sb.Console != nil {
		sb.Console.Close()
	}
	sb.mu.Lock()
	if sb.pidfd >= 0 {
		unix.Close(sb.pidfd)
		sb.pidfd = -1
	}
	sb.mu.Unlock()
	if sb.cgroup != nil {
		err = errors.Join(err, sb.cgroup.remove())
	}
	if sb.strays != nil {
		sb.strays.close()
	}
	return err
}
