package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// insideEnv names the socket of our process in a sandbox.
const insideEnv = "_UNIONFS_SANDBOX"

// inside is our process in the sandbox, before it becomes the program.
type inside struct {
	spec    *Spec // nil when it joined a sandbox
	process *Process
	filter  []byte

	sock  int
	root  int // a descriptor of the root, -1 before there is one
	stdio [3]*os.File
	// idMaps are the user namespaces of id-mapped mounts.
	idMaps map[int]*os.File
}

// payload is what the inside gets, in a file in memory: no packet is large
// enough for all of it.
type payload struct {
	Spec    *Spec    `json:"spec,omitempty"`
	Process *Process `json:"process"`
	Filter  []byte   `json:"filter,omitempty"`
	Init    bool     `json:"init,omitempty"`
}

// passInside becomes the program of a sandbox when this process was started for
// that, and comes back otherwise.
func passInside() {
	word := os.Getenv(insideEnv)
	if word == "" {
		return
	}
	// All is done on one thread, which has the credentials that execve takes.
	runtime.LockOSThread()
	sock, err := strconv.Atoi(word)
	if err != nil {
		os.Exit(125)
	}
	in := &inside{sock: sock, root: -1, idMaps: map[int]*os.File{}}
	unix.CloseOnExec(sock)
	in.fail(in.run())
	os.Exit(125)
}

// fail tells the outside, and ends the process.
func (in *inside) fail(err error) {
	start := &StartError{Code: 125, Step: "sandbox", Err: err}
	_ = errors.As(err, &start)
	_ = sendJSON(in.sock, note{Error: newSentence(start.Step, start.Code, start.Err)}) // nobody else could be told
	os.Exit(125)
}

func (in *inside) run() error {
	// No process of the sandbox looks into this one, or at what it holds.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	o, p, err := in.receiveOrders()
	if err != nil {
		return fmt.Errorf("the orders: %w", err)
	}
	steps := execPlan(0, in.process) // the number is for what is done outside
	if in.spec != nil {
		steps = Plan(in.spec)
	}
	calls, err := in.do(steps, o.FailStep)
	if err != nil {
		return err
	}
	if err := in.awaitRelease(steps, calls); err != nil {
		return err
	}
	if p.Init {
		in.superviseAsInit(calls)
	}
	runScript(calls, uintptr(in.sock))
	runtime.KeepAlive(calls)
	os.Exit(125)
	return nil
}

// do does what is to be done inside, and collects the calls that make the
// program.
func (in *inside) do(steps []Step, failStep int) (calls []call, err error) {
	for i, s := range steps {
		if i == failStep && s.Where != Outside {
			s.inside = func(*inside) error { return errTest }
			s.program = func(*inside) ([]call, error) { return []call{newCall("test", unix.SYS_CLOSE, ^uintptr(0))}, nil }
		}
		var more []call
		switch s.Where {
		case Inside:
			err = s.inside(in)
		case Program:
			more, err = s.program(in)
		}
		if err != nil {
			return nil, &StartError{Code: 125, Step: s.Kind, Err: err}
		}
		for _, c := range more {
			c.step = i
			calls = append(calls, c)
		}
	}
	return calls, nil
}

// errTest is what a step fails with that is to fail.
var errTest = errors.New("failed for a test")

// awaitRelease says that all is ready, and waits for the word.
func (in *inside) awaitRelease(steps []Step, calls []call) error {
	ready := note{Ready: true}
	for _, c := range calls {
		ready.Calls = append(ready.Calls, callName{Step: steps[c.step].Kind, Name: c.name, Exec: c.kind == tryExec})
	}
	if err := sendJSON(in.sock, ready); err != nil {
		return err
	}
	word, _, err := receive(in.sock)
	if err != nil || string(word) != goWord {
		os.Exit(125) // the caller is gone, or has thought better of it
	}
	return nil
}

// receiveOrders gets what there is to be done, and the descriptors for it.
func (in *inside) receiveOrders() (o orders, p payload, err error) {
	body, fds, err := receive(in.sock)
	if err == io.EOF {
		os.Exit(125) // nobody is there any more
	}
	if err != nil {
		return o, p, err
	}
	if err := json.Unmarshal(body, &o); err != nil {
		return o, p, err
	}
	text, err := unpack(fds, o.Spec, "spec")
	if err != nil {
		return o, p, err
	}
	defer text.Close()
	if err := json.NewDecoder(text).Decode(&p); err != nil {
		return o, p, err
	}
	in.spec, in.process, in.filter = p.Spec, p.Process, p.Filter
	if in.spec != nil {
		in.process = &in.spec.Process
	}
	return o, p, in.takeFiles(&o, fds)
}

func (in *inside) takeFiles(o *orders, fds []int) (err error) {
	for i, place := range o.Stdio {
		if in.stdio[i], err = unpack(fds, place, "stdio"); err != nil {
			return err
		}
	}
	root, err := unpack(fds, o.Root, "root")
	if err != nil {
		return err
	}
	if root != nil {
		// A copy, since a file that is collected closes its descriptor.
		if in.root, err = unix.FcntlInt(root.Fd(), unix.F_DUPFD_CLOEXEC, 3); err != nil {
			return err
		}
		root.Close()
	}
	for i, place := range o.IDMaps {
		if in.idMaps[i], err = unpack(fds, place, "ids"); err != nil {
			return err
		}
	}
	for i, place := range o.Mounts {
		if in.spec == nil || i >= len(in.spec.Mounts) {
			return fmt.Errorf("there is no mount %d", i)
		}
		if in.spec.Mounts[i].Fd, err = unpack(fds, place, "mount"); err != nil {
			return err
		}
	}
	return nil
}
