package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Who made a user namespace may enter it again, with all rights in it
// (user_namespaces(7)), but not from a process with threads: what enters is a
// forked one, which then executes this program.

// RunInUserNSOf runs this program again, with the same words, as root of the user
// namespace, and in the mount namespace, of a process that RunInUserNS began. It
// answers the exit status; signals are handed on.
func RunInUserNSOf(pid int) (status int, err error) {
	runtime.LockOSThread() // see RunInUserNS
	defer runtime.UnlockOSThread()
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	p, err := startIn(pid, os.Args, append(os.Environ(), outerWord()), dir, newCall("die with the parent", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM)))
	if err != nil {
		return 0, err
	}
	stop := forward(p)
	defer stop()
	state, err := p.Wait()
	if err != nil {
		return 0, err
	}
	return stateStatus(state), nil
}

// StartInUserNSOf starts this program there, with other words, in a session of its
// own and with nothing that this process has open.
func StartInUserNSOf(pid int, args []string) (*os.Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	calls := []call{newCall("make a session", unix.SYS_SETSID)}
	for fd := range uintptr(3) {
		calls = append(calls, newCall("let go of stdio", unix.SYS_DUP3, null.Fd(), fd, 0))
	}
	calls = append(calls, newCall("let go of files", unix.SYS_CLOSE_RANGE, 3, uintptr(^uint32(0)), unix.CLOSE_RANGE_CLOEXEC).optional())
	return startIn(pid, args, os.Environ(), "/", calls...)
}

// startIn starts this program in the namespaces of a process. What calls do is
// done there.
func startIn(pid int, args, env []string, dir string, calls ...call) (*os.Process, error) {
	spaces, err := namespacesOf(pid)
	if err != nil {
		return nil, err
	}
	defer closeAll(spaces)
	var all []call
	for _, kind := range []NamespaceType{UserNS, MountNS} {
		ns := spaces[kind]
		if ns == nil {
			return nil, fmt.Errorf("process %d is in no other %s namespace than this one", pid, kind)
		}
		all = append(all, newCall(fmt.Sprintf("enter the %s namespace", kind), unix.SYS_SETNS, ns.Fd(), 0).keeping(ns))
	}
	all = append(all,
		newCall("become group 0 of the user namespace", unix.SYS_SETRESGID, 0, 0, 0),
		newCall("become user 0 of the user namespace", unix.SYS_SETRESUID, 0, 0, 0))
	all = append(all, calls...)
	// Entering a mount namespace leads to its root.
	cdir, err := cstring(dir)
	if err != nil {
		return nil, err
	}
	all = append(all, newCall("go to "+dir, unix.SYS_CHDIR, pointer(cdir)).keeping(cdir))
	all = append(all, defaultSignals()...)
	execute, err := executeAgain(args, env)
	if err != nil {
		return nil, err
	}
	return forkScript(append(all, execute))
}

func executeAgain(args, env []string) (call, error) {
	self, err := os.Executable()
	if err != nil {
		return call{}, err
	}
	path, err := cstring(self)
	if err != nil {
		return call{}, err
	}
	argv, err := cstrings(args)
	if err != nil {
		return call{}, err
	}
	envp, err := cstrings(env)
	if err != nil {
		return call{}, err
	}
	return newCall("execute "+self, unix.SYS_EXECVE, pointer(path), pointer(&argv[0]), pointer(&envp[0])).keeping(path, argv, envp), nil
}

// forkScript starts a process that makes calls, and comes back when the last of
// them, which executes a program, has closed the pipe on which failures come.
func forkScript(calls []call) (*os.Process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	pid, err := fork(0, calls, int(w.Fd()))
	w.Close()
	if err != nil {
		return nil, os.NewSyscallError("clone", err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil, err
	}
	body := make([]byte, unsafe.Sizeof(failure{}))
	n, _ := r.Read(body) // nothing but the end comes of what went well
	if n == 0 {
		return p, nil
	}
	_, _ = p.Wait()
	f, ok := parseFailure(body[:n], failureTag)
	if !ok || int(f.index) >= len(calls) {
		return nil, errors.New("the forked process has died")
	}
	return nil, fmt.Errorf("%s: %w", calls[f.index].name, syscall.Errno(f.errno))
}
