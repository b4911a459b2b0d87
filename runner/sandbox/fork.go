package sandbox

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A call is one system call of a script: what a forked process does before it
// executes a program. Go can't run in a forked process (it has one thread of
// many), but system calls whose arguments are ready can be made there.
type call struct {
	name string // what an error says was being done
	step int    // the step of the plan that it belongs to
	nr   uintptr
	args [6]uintptr

	kind callKind
	// keep holds the memory that args point to.
	keep []any
}

type callKind uint8

const (
	mustSucceed callKind = iota
	mayFail
	// mustReadOne is a read(2) that gets one byte; the end of the file ends
	// the process without a word, since nobody is there to hear it.
	mustReadOne
	// mustFork is a clone(2) after which the child goes on; the parent writes
	// the child's number and ends. So a process gets into a pid namespace that
	// it has entered, or made, which is for children only.
	mustFork
	// tryExec is one place of several where a program is looked for, as
	// execvp(3) does it.
	tryExec
)

// failure is what a script writes when a call fails, and (birthTag) when it has
// forked: index is the child's number then.
type failure struct {
	tag   uint32
	index uint32
	errno uint32
}

// No JSON begins like these.
const (
	failureTag uint32 = 0x00525245
	birthTag   uint32 = 0x00444950
)

func newCall(name string, nr uintptr, args ...uintptr) call {
	c := call{name: name, nr: nr, step: -1}
	copy(c.args[:], args)
	return c
}

func (c call) optional() call { c.kind = mayFail; return c }

func (c call) keeping(v ...any) call { c.keep = append(c.keep, v...); return c }

// pointer is an address for args; the memory must be kept (keeping).
func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

//go:linkname runtimeBeforeFork syscall.runtime_BeforeFork
func runtimeBeforeFork()

//go:linkname runtimeAfterFork syscall.runtime_AfterFork
func runtimeAfterFork()

//go:linkname runtimeAfterForkInChild syscall.runtime_AfterForkInChild
func runtimeAfterForkInChild()

// fork starts a process in the namespaces of flags that makes the calls, the
// last of which executes a program. What fails is written to the descriptor
// report. The caller's thread is the parent for PR_SET_PDEATHSIG.
func fork(flags uintptr, calls []call, report int) (pid int, err error) {
	syscall.ForkLock.Lock()
	pid, errno := forkRaw(flags|uintptr(unix.SIGCHLD), calls, uintptr(report))
	syscall.ForkLock.Unlock()
	runtime.KeepAlive(calls)
	if errno != 0 {
		return 0, errno
	}
	return pid, nil
}

// forkRaw copies the memory (no CLONE_VM): what a child does to its
// credentials must not mark the memory of the parent (commit_creds,
// set_dumpable).
//
//go:noinline
//go:norace
//go:nosplit
//go:nocheckptr
func forkRaw(flags uintptr, calls []call, report uintptr) (int, syscall.Errno) {
	runtimeBeforeFork()
	pid, errno := rawClone(flags)
	if errno != 0 || pid != 0 {
		runtimeAfterFork()
		return int(pid), errno
	}
	runtimeAfterForkInChild()
	runScript(calls, report)
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 125, 0, 0)
	}
}

// runScript makes the calls; it comes back only when one failed, having said
// which.
//
//go:norace
//go:nosplit
//go:nocheckptr
func runScript(calls []call, report uintptr) {
	var f failure
	found := syscall.Errno(0)
	for i := range calls {
		c := &calls[i]
		r, _, errno := syscall.RawSyscall6(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		for errno == syscall.EINTR {
			r, _, errno = syscall.RawSyscall6(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5])
		}
		switch c.kind {
		case mayFail:
			continue
		case mustFork:
			if errno == 0 && r != 0 {
				f.tag = birthTag
				f.index = uint32(r)
				syscall.RawSyscall(syscall.SYS_WRITE, report, uintptr(unsafe.Pointer(&f)), unsafe.Sizeof(f))
				syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
			}
		case mustReadOne:
			if errno == 0 && r != 1 {
				return
			}
		case tryExec:
			if errno == syscall.EACCES {
				found = errno
			}
			if i+1 < len(calls) && (errno == syscall.ENOENT || errno == syscall.ENOTDIR || errno == syscall.EACCES) {
				continue
			}
			if found != 0 && (errno == syscall.ENOENT || errno == syscall.ENOTDIR) {
				errno = found
			}
		}
		if errno != 0 {
			f.tag = failureTag
			f.index = uint32(i)
			f.errno = uint32(errno)
			syscall.RawSyscall(syscall.SYS_WRITE, report, uintptr(unsafe.Pointer(&f)), unsafe.Sizeof(f))
			return
		}
	}
}
