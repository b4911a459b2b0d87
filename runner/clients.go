package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// target is a program that a client is attached to.
type target struct {
	hub    *hub
	signal func(sig int) error
	resize func(rows, cols uint16) error
}

// toClient is an Output that goes over a connection.
func toClient(f *framed) Output {
	return func(stream string, text []byte) error {
		if stream == "stderr" {
			return f.send(frameErr, text)
		}
		return f.send(frameOut, text)
	}
}

// listen does what a client sends until it goes; it answers whether the client
// said so.
func (t *target) listen(f *framed, stdin bool) (detached bool) {
	for {
		kind, payload, err := f.receive()
		if err != nil {
			return false
		}
		switch kind {
		case frameDetach:
			return true
		case frameInput:
			if stdin {
				_, _ = t.hub.stdin.Write(payload) // a program that reads no more is no fault
			}
		case frameEOF:
			if stdin {
				t.hub.stdin.end()
			}
		case frameResize:
			if rows, cols, ok := parseSize(payload); ok {
				_ = t.resize(rows, cols) // a program without a terminal has no size
			}
		case frameSignal:
			if len(payload) == 1 {
				_ = t.signal(int(payload[0])) // one that has ended hears nothing
			}
		}
	}
}

// signalClient answers of a program that has ended when all can see that it has:
// who asked it to end is content with that.
func (m *monitor) signalClient(_ *framed, q *request) (answer, error) {
	err := m.signal(q.Signal)
	if errors.Is(err, os.ErrProcessDone) {
		<-m.ended
		err = errors.New("the container has ended")
	}
	return answer{}, err
}

func (m *monitor) attachClient(f *framed, q *request) (answer, error) {
	attach := m.hub.attach
	if q.Owner {
		attach = m.hub.attachOwner
	}
	defer attach(toClient(f))()
	if q.Owner && q.Stdin {
		m.hub.stdin.endWithOne() // it reads to the end of what its starter has
	}
	if q.Owner {
		m.ownerCame()
	}
	t := target{m.hub, m.signal, m.resize}
	gone := make(chan bool, 1)
	go func() { gone <- t.listen(f, q.Stdin) }()
	select {
	case <-m.ended:
		return answer{Code: m.final.ExitCode}, nil
	case detached := <-gone:
		if q.Owner && !detached {
			_ = m.box.Kill() // it has ended otherwise
		}
		return answer{}, errNoAnswer
	}
}

// execClient runs a further program for a client. It is killed when the client
// goes without a word; one that is started detached stays.
func (m *monitor) execClient(f *framed, q *request) (answer, error) {
	if q.Exec == nil || m.box == nil {
		return answer{Code: 125}, errors.New("there is nothing to execute")
	}
	p, err := m.execProcess(q.Exec)
	if err != nil {
		return answer{Code: 126}, err
	}
	s, err := newStreams(p.TTY, q.Exec.Interactive)
	if err != nil {
		return answer{Code: 125}, err
	}
	defer s.close()
	s.belongTo(&p, m.ids)
	box, err := execSandbox(context.Background(), m.box, p, s.stdio)
	s.started()
	if err != nil {
		return answer{Code: startCode(err)}, err
	}
	h := newHub(nil)
	h.stdin = s.inlet
	s.inlet.once = true
	if q.Exec.Detach {
		go func() {
			defer s.close()
			moved := s.pump(h, box.Console, nil)
			_, _ = box.Wait()
			moved.wait()
			_ = box.Close() // it has ended
		}()
		return answer{}, nil
	}
	defer h.attach(toClient(f))()
	moved := s.pump(h, box.Console, nil) // before there is input for it
	t := target{h, func(sig int) error { return box.Signal(unix.Signal(sig)) }, box.Resize}
	go func() {
		if !t.listen(f, q.Exec.Interactive) {
			_ = box.Kill() // it may have ended
		}
	}()
	status, err := box.Wait()
	moved.wait()
	_ = box.Close() // it has ended
	return answer{Code: status.Code}, err
}

func startCode(err error) int {
	var start *sandbox.StartError
	if errors.As(err, &start) {
		return start.Code
	}
	return 125
}

// execProcess is a further program: with the container's own privileges, and
// what of its environment isn't replaced.
func (m *monitor) execProcess(e *ExecSpec) (sandbox.Process, error) {
	if len(e.Args) == 0 {
		return sandbox.Process{}, errors.New("no command")
	}
	p := m.plan.Process
	p.Args, p.TTY = e.Args, e.TTY
	p.Env = slices.Clone(p.Env)
	if e.User != "" {
		id, err := m.acct.resolve(e.User, nil)
		if err == nil && m.facts.SingleID {
			id, err = (&Spec{User: e.User}).alone(id)
		}
		if err != nil {
			return p, err
		}
		p.UID, p.GID, p.Groups = id.uid, id.gid, id.groups
		p.Env = SetEnv(p.Env, "HOME="+id.home)
	}
	for _, word := range e.Env {
		p.Env = SetEnv(p.Env, word)
	}
	if e.TTY {
		p.Env = SetEnv(p.Env, "TERM=xterm")
	}
	if e.Dir != "" {
		p.Dir = e.Dir
	}
	if !path.IsAbs(p.Dir) {
		return p, fmt.Errorf("--workdir=%s: an absolute path is expected", p.Dir)
	}
	if e.Privileged {
		p.Capabilities, p.Seccomp, p.NoNewPrivs = allCapabilities, nil, false
	}
	return p, nil
}

func valueOf(v any) (answer, error) {
	text, err := json.Marshal(v)
	return answer{Value: text}, err
}
