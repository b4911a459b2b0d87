package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// builder makes one sandbox, or one further process of one.
type builder struct {
	spec    *Spec // nil for a further process
	process *Process
	stdio   Stdio
	steps   []Step
	// filter answers the seccomp filter, which is compiled meanwhile.
	filter func() ([]byte, error)

	flags   uintptr // for clone(2)
	unshare uintptr // what is made behind namespaces that are entered
	enter   map[NamespaceType]*os.File
	idMaps  map[int]*os.File // user namespaces of id-mapped mounts
	// twice says that the process forks again, to get into a pid namespace.
	twice bool

	meanwhile func(pid int) error // done outside while the inside works

	sb      *Sandbox
	outer   int // our end of the socket, and
	inner   int // the other one, -1 once it is closed
	self    *os.File
	prelude []call // what the forked process does before it is ours
}

// failStep is the step that fails, for tests.
var failStep = -1

// compile begins to compile the program's seccomp filter.
func (b *builder) compile() {
	b.filter = sync.OnceValues(func() ([]byte, error) { return compileFilter(b.process) })
	go func() { _, _ = b.filter() }() // what went wrong is heard by who asks
}

// build does all that is done outside, and waits for the inside to be ready.
func (b *builder) build() (err error) {
	if b.outer, b.inner, err = socketPair(); err != nil {
		return err
	}
	b.sb.sock = b.outer
	defer b.closeInner()
	b.idMaps = map[int]*os.File{}
	defer func() { closeAll(b.idMaps) }()
	if b.self, err = openSelf(); err != nil {
		return err
	}
	defer b.self.Close()
	for i, s := range b.steps {
		if s.Where != Outside {
			continue
		}
		if i == failStep {
			err = errTest
		} else {
			err = s.outside(b)
		}
		if err != nil {
			var start *StartError
			if errors.As(err, &start) {
				return start
			}
			return &StartError{Code: 125, Step: s.Kind, Err: b.explain(err)}
		}
	}
	if b.meanwhile != nil {
		err = b.meanwhile(b.sb.pid)
	}
	// When the inside has failed, its namespaces went with it: that comes first.
	if ierr := b.awaitReady(); ierr != nil {
		return ierr
	}
	return err
}

// explain prefers what the forked process said to what we noticed of its end.
func (b *builder) explain(err error) error {
	if errors.Is(err, unix.EPIPE) {
		b.closeInner()
		if said := b.listen(); said != nil {
			return said
		}
	}
	return err
}

func (b *builder) closeInner() {
	if b.inner >= 0 {
		unix.Close(b.inner)
		b.inner = -1
	}
}

// fork starts the process. The thread that does so waits for its end and for
// nothing else, so that the death signal (PR_SET_PDEATHSIG) comes with the
// death of the caller and not earlier.
func (b *builder) fork() error {
	calls, err := b.entryCalls()
	if err != nil {
		return err
	}
	b.prelude = calls
	type forked struct {
		pid int
		err error
	}
	done := make(chan forked)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the process
		pid, err := fork(b.flags, calls, b.inner)
		if err == nil && b.twice {
			pid, err = b.second(pid)
		}
		if err == nil {
			b.sb.born(pid)
		}
		done <- forked{pid, err}
		if err == nil {
			b.sb.reap()
		}
	}()
	f := <-done
	b.closeInner()
	if f.err != nil && b.flags&unix.CLONE_NEWUSER != 0 {
		return startError(f.err)
	}
	return f.err
}

// second waits for the process that forked another one, and answers the other's
// number. That one is our child too (CLONE_PARENT).
func (b *builder) second(first int) (pid int, err error) {
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Wait4(first, nil, 0, nil)
	}
	b.closeInner()
	body, fds, err := receive(b.outer)
	closeFDs(fds)
	if err != nil {
		return 0, fmt.Errorf("our process has died on its way into the namespaces: %w", err)
	}
	if f, ok := parseFailure(body, birthTag); ok {
		return int(f.index), nil
	}
	f, _ := parseFailure(body, failureTag)
	return 0, b.sb.preludeError(b.prelude, f)
}

// entryCalls are what the forked process does to get to its place and to become
// our process there.
func (b *builder) entryCalls() ([]call, error) {
	wait := newCall("wait", unix.SYS_READ, uintptr(b.inner))
	word := new([1]byte)
	wait.args[1], wait.args[2] = pointer(word), 1
	wait.kind, wait.keep = mustReadOne, []any{word}
	die := newCall("die with the parent", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
	// It has a copy of our memory, which is nobody's to see. Until the maps are
	// written it must not be hidden from an ordinary user, who writes them.
	hide := newCall("hide", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0)
	calls := []call{
		// A copy of our end too: with it open the socket would never end, and a
		// caller who died before "die" would be waited for.
		newCall("close the other end", unix.SYS_CLOSE, uintptr(b.outer)),
	}
	if b.flags&unix.CLONE_NEWUSER == 0 {
		calls = append(calls, hide)
	}
	calls = append(calls, die)
	calls = append(calls, b.enterCalls()...)
	calls = append(calls, die, wait, hide)
	if b.spec != nil && b.spec.isNew(CgroupNS) && b.spec.Init {
		calls = append(calls, newCall("make a cgroup namespace", unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP))
	}
	if b.newIDs() {
		// As root of the new user namespace it keeps its capabilities over
		// execve. Where setgroups(2) is denied the groups stay.
		calls = append(calls,
			newCall("drop groups", unix.SYS_SETGROUPS, 0, 0).optional(),
			newCall("become group 0 of the user namespace", unix.SYS_SETRESGID, 0, 0, 0),
			newCall("become user 0 of the user namespace", unix.SYS_SETRESUID, 0, 0, 0),
			die) // which a change of ids clears
	}
	calls = append(calls, defaultSignals()...)
	execute, err := b.executeSelf()
	return append(calls, execute...), err
}

// newIDs says that the process comes into another user namespace.
func (b *builder) newIDs() bool {
	return b.flags&unix.CLONE_NEWUSER != 0 || b.enter[UserNS] != nil
}

func (b *builder) enterCalls() (calls []call) {
	for _, f := range cloneFlags {
		if ns := b.enter[f.kind]; ns != nil {
			calls = append(calls, newCall(fmt.Sprintf("enter the %s namespace", f.kind), unix.SYS_SETNS, ns.Fd(), f.flag).keeping(ns))
		}
	}
	if b.unshare != 0 {
		calls = append(calls, newCall("make namespaces", unix.SYS_UNSHARE, b.unshare))
	}
	if b.twice {
		again := newCall("fork again", unix.SYS_CLONE, unix.CLONE_PARENT|uintptr(unix.SIGCHLD))
		again.kind = mustFork
		calls = append(calls, again)
	}
	return calls
}

func (b *builder) executeSelf() ([]call, error) {
	argv, err := cstrings([]string{"unionfs-sandbox"})
	if err != nil {
		return nil, err
	}
	// No collection in a process that lives for milliseconds, and none of the
	// files that the Go runtime keeps open for its count of processors: they are
	// of the host's control group.
	envp, err := cstrings([]string{insideEnv + "=" + strconv.Itoa(b.inner), "GOGC=off", "GODEBUG=containermaxprocs=0,updatemaxprocs=0"})
	if err != nil {
		return nil, err
	}
	empty := new(byte)
	return []call{
		// Our process is no place either for what the caller left open to its
		// children: as init it stays.
		newCall("close what was inherited", unix.SYS_CLOSE_RANGE, 3, uintptr(^uint32(0)), unix.CLOSE_RANGE_CLOEXEC).optional(),
		newCall("keep the socket", unix.SYS_FCNTL, uintptr(b.inner), unix.F_SETFD, 0),
		newCall("begin in the sandbox", unix.SYS_EXECVEAT, b.self.Fd(), pointer(empty), pointer(&argv[0]), pointer(&envp[0]), unix.AT_EMPTY_PATH).
			keeping(empty, argv, envp, b.self),
	}, nil
}

func (b *builder) mapIDs() error { return b.spec.IDMaps.set(b.sb.pid) }

// begin lets the process go on, and tells it what to do. To join a group takes the
// kernel some ten milliseconds (cgroup_attach_lock waits for RCU), in which our
// process begins; it does nothing before its orders. As init it stays, with all
// its threads: so these come from one that is in the group and its namespace.
func (b *builder) begin() error {
	join := func() error {
		if b.sb.cgroup == nil {
			return nil
		}
		return b.sb.cgroup.join(b.sb.pid)
	}
	word := func() error { return send(b.outer, []byte(goWord)) }
	order := []func() error{word, join, b.sendOrders}
	if b.spec != nil && b.spec.Init {
		order = []func() error{join, word, b.sendOrders}
	}
	for _, do := range order {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) sendOrders() error {
	filter, err := b.filter()
	if err != nil {
		return &StartError{Code: 125, Step: "seccomp", Err: err}
	}
	text, err := memfd("spec", 0)
	if err != nil {
		return err
	}
	defer text.Close()
	p := payload{Spec: b.spec, Process: b.process, Filter: filter}
	p.Init = b.spec != nil && b.spec.Init
	if err := json.NewEncoder(text).Encode(p); err != nil {
		return err
	}
	if _, err := text.Seek(0, io.SeekStart); err != nil {
		return err
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	var files parcel
	o := orders{Spec: files.add(text), Root: -1, FailStep: failStep, Mounts: map[int]int{}, IDMaps: map[int]int{}}
	for i, f := range []*os.File{b.stdio.In, b.stdio.Out, b.stdio.Err} {
		if f == nil {
			f = null
		}
		o.Stdio[i] = files.add(f)
	}
	if b.spec != nil {
		o.Root = files.add(b.spec.RootMount)
		for i := range b.spec.Mounts {
			if f := b.spec.Mounts[i].Fd; f != nil {
				o.Mounts[i] = files.add(f)
			}
		}
	}
	for i, f := range b.idMaps {
		o.IDMaps[i] = files.add(f)
	}
	if len(files.fds) > maxFDs {
		return fmt.Errorf("%d descriptors are more than the %d that can be handed over", len(files.fds), maxFDs)
	}
	return sendJSON(b.outer, o, files.fds...)
}

// awaitReady hears the inside until it is ready.
func (b *builder) awaitReady() error {
	for b.sb.calls == nil {
		if err := b.listen(); err != nil {
			return err
		}
	}
	return nil
}

// listen takes one message. It is from a process that has been in the sandbox:
// nothing that it says is believed beyond what is needed.
func (b *builder) listen() error {
	body, fds, err := receive(b.outer)
	switch {
	case err == io.EOF:
		return &StartError{Code: 125, Step: "sandbox", Err: errors.New("our process in the sandbox has died (was it killed, or is there no memory?)")}
	case err != nil:
		return &StartError{Code: 125, Step: "sandbox", Err: err}
	}
	if f, ok := parseFailure(body, failureTag); ok {
		return b.sb.preludeError(b.prelude, f)
	}
	var n note
	if err := json.Unmarshal(body, &n); err != nil {
		closeFDs(fds)
		return &StartError{Code: 125, Step: "sandbox", Err: err}
	}
	if n.Console && len(fds) == 1 && b.sb.Console == nil {
		b.sb.Console = newConsole(fds[0])
		fds = nil
	}
	closeFDs(fds)
	if n.Error != nil {
		return n.Error.err()
	}
	if n.Ready {
		b.sb.calls = append([]callName{}, n.Calls...)
	}
	return nil
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// newConsole makes a terminal's master a file that can be read with deadlines.
func newConsole(fd int) *os.File {
	_ = unix.SetNonblock(fd, true) // else reads only hold a thread each
	return os.NewFile(uintptr(fd), "console")
}
