package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// gateEnv names the descriptor on which a child in a new user namespace waits
// for its maps.
const gateEnv = "_UNIONFS_USERNS_GATE"

// gateFD is the child's end of the gate.
const gateFD = 3

// lastSignal is the last one that there is on Linux (signal(7)).
const lastSignal = unix.Signal(64)

// outerEnv says which process a program in a user namespace belongs to: it ends
// with that one.
const outerEnv = "_UNIONFS_USERNS_OUTER"

// PassGate is to be called first in main. In a process that RunInUserNS has
// just started it waits until the maps are written, and begins the program
// again as root of the namespace; one that was started in a sandbox becomes the
// sandbox's program; elsewhere it does nothing.
func PassGate() {
	passInside()
	if os.Getenv(gateEnv) == "" {
		dieWithOuter()
		return
	}
	_ = os.Unsetenv(gateEnv)
	gate := os.NewFile(gateFD, "gate")
	word, err := io.ReadAll(gate)
	gate.Close()
	if err != nil || string(word) != "go" {
		os.Exit(1) // the parent has said why
	}
	// Only an exec as the mapped root brings the capabilities (capabilities(7),
	// "Transformation of capabilities during execve").
	self, err := os.Executable()
	if err == nil {
		err = unix.Exec(self, os.Args, os.Environ())
	}
	fmt.Fprintf(os.Stderr, "unionfs: can't begin again in the user namespace: %v\n", err)
	os.Exit(1)
}

// dieWithOuter has this process killed together with the one that runs it in a user
// namespace and hands signals on to it: who kills that has killed the command. It is
// said only now, because the exec that brings capabilities unsays it (prctl(2),
// PR_SET_PDEATHSIG).
func dieWithOuter() {
	outer := os.Getenv(outerEnv)
	if outer == "" {
		return
	}
	_ = os.Unsetenv(outerEnv)
	err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	if err != nil || strconv.Itoa(os.Getppid()) != outer {
		os.Exit(1) // it is dead already
	}
}

// outerWord is the environment's word for programs that end with this process.
func outerWord() string { return outerEnv + "=" + strconv.Itoa(os.Getpid()) }

// RunInUserNS runs this program again, with the same words, as root of a new
// user namespace with the ids that m grants, and a mount namespace of its own.
// It answers the exit status; signals are handed on. begun, unless it is nil, is
// called with the number of the process before that begins.
func RunInUserNS(m IDMaps, begun func(pid int) error) (status int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer w.Close()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), gateEnv+"=1", outerWord())
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGTERM,
	}
	// The death signal comes when this thread ends, not when the process does
	// (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		r.Close()
		return 0, startError(err)
	}
	r.Close()
	err = m.set(cmd.Process.Pid)
	if err == nil && begun != nil {
		err = begun(cmd.Process.Pid)
	}
	if err != nil {
		w.Close() // an empty gate ends the child
		_ = cmd.Wait()
		return 0, err
	}
	if _, err := w.WriteString("go"); err != nil {
		return 0, err
	}
	w.Close()
	stop := forward(cmd.Process)
	defer stop()
	return exitStatus(cmd.Wait())
}

func startError(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS) {
		return fmt.Errorf("a user namespace can't be made (%w): the kernel or a security module forbids it (see sysctl user.max_user_namespaces and kernel.unprivileged_userns_clone)", err)
	}
	return err
}

// write has the setuid helpers write both maps of a process.
func (m IDMaps) write(pid int) error {
	for _, kind := range [...]struct {
		helper string
		ranges []IDRange
	}{{"newuidmap", m.UIDs}, {"newgidmap", m.GIDs}} {
		args := []string{strconv.Itoa(pid)}
		for _, r := range kind.ranges {
			args = append(args, strconv.Itoa(r.Inside), strconv.Itoa(r.Host), strconv.Itoa(r.Count))
		}
		if out, err := exec.Command(kind.helper, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", kind.helper, err, out)
		}
	}
	return nil
}

// forward hands on all signals that can be caught, but those that are about this
// process alone and those by which a terminal stops both.
func forward(p *os.Process) (stop func()) {
	signals := make(chan os.Signal, 8)
	var all []os.Signal
	for sig := unix.SIGHUP; sig <= lastSignal; sig++ {
		switch sig {
		case unix.SIGCHLD, unix.SIGPIPE, unix.SIGURG, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
		default:
			all = append(all, sig)
		}
	}
	signal.Notify(signals, all...)
	go func() {
		for s := range signals {
			// The terminal has sent it to the whole group already, and twice
			// does no harm.
			_ = p.Signal(s)
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}

// exitStatus is a shell's: 128 and the signal for a program that one ended.
func exitStatus(err error) (int, error) {
	var exit *exec.ExitError
	if err == nil {
		return 0, nil
	}
	if !errors.As(err, &exit) {
		return 0, err
	}
	return stateStatus(exit.ProcessState), nil
}

func stateStatus(state *os.ProcessState) int {
	ws := state.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
