package sandbox

import (
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func initSteps(wanted bool) []Step {
	if !wanted {
		return nil
	}
	return []Step{program("init", "process 1 reaps and hands on signals; the program is its child", func(*inside) ([]call, error) {
		return nil, nil
	})}
}

// superviseAsInit starts the program as a child and stays to reap what is left
// to process 1. It ends as the program does.
func (in *inside) superviseAsInit(calls []call) {
	// Before the program can send any; SIGCHLD comes for whoever dies.
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) // where it isn't process 1
	child, err := fork(0, calls, in.sock)
	if err != nil {
		in.fail(&StartError{Code: 125, Step: "init", Err: err})
	}
	in.letGo()
	reduceInit()
	for s := range signals {
		switch s {
		case unix.SIGCHLD:
			if status, ended := reap(child); ended {
				os.Exit(status)
			}
		case unix.SIGURG: // the Go runtime's own, for preemption
		default:
			_ = unix.Kill(child, s.(syscall.Signal))
		}
	}
}

// letGo closes all that init holds of the program and of the outside.
func (in *inside) letGo() {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	for fd := range 3 {
		if err == nil {
			_ = unix.Dup3(null, fd, 0)
		}
	}
	for _, f := range in.stdio {
		f.Close()
	}
	unix.Close(in.root)
	unix.Close(in.sock)
	in.sock = -1
	if err == nil {
		unix.Close(null)
	}
	_ = unix.Chdir("/")
}

// reduceInit leaves init the right to signal, and nothing else. All threads of
// the process change.
func reduceInit() {
	runtime.UnlockOSThread()
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	kill := uint32(permittedCapabilities()) & (1 << unix.CAP_KILL)
	data := &[2]unix.CapUserData{{Effective: kill, Permitted: kill}}
	_, _, _ = syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0)
	_, _, _ = syscall.AllThreadsSyscall(unix.SYS_CAPSET, pointer(header), pointer(data), 0)
	runtime.KeepAlive(header)
	runtime.KeepAlive(data)
	debug.SetGCPercent(50) // it was off
	// Not for programs that end at once.
	time.AfterFunc(time.Second, GiveMemoryBack)
}

// reap collects everybody who has died; ended says that the program has.
func reap(program int) (status int, ended bool) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || pid == 0:
			return status, ended
		case pid == program && ws.Signaled():
			status, ended = 128+int(ws.Signal()), true
		case pid == program:
			status, ended = ws.ExitStatus(), true
		}
	}
}
