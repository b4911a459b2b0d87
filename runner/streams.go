package runner

import (
	"io"
	"os"
	"sync"

	"unionfs/runner/sandbox"
)

// streams are the ends of a program's standard streams.
type streams struct {
	tty   bool
	stdio sandbox.Stdio
	// Our ends; nil with a terminal.
	in       *os.File
	out, err *os.File
	theirs   []*os.File
	inlet    *inlet
}

// openStreams makes the pipes of a container. Without -i it reads the end of a
// file at once.
func (m *monitor) openStreams() (*streams, error) {
	s, err := newStreams(m.c.Spec.TTY, m.c.Spec.Interactive)
	if err != nil {
		return nil, err
	}
	// A container that is run in the foreground reads to the end of what its
	// caller has; one in the background goes on reading.
	s.inlet.once = m.o.Stdin != nil
	m.hub.stdin = s.inlet
	return s, nil
}

func newStreams(tty, interactive bool) (*streams, error) {
	s := &streams{tty: tty, inlet: &inlet{}}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s.theirs = append(s.theirs, null)
	s.stdio = sandbox.Stdio{In: null, Out: null, Err: null}
	if tty {
		return s, nil
	}
	for _, p := range []struct {
		ours   **os.File
		theirs **os.File
		input  bool
	}{{&s.in, &s.stdio.In, true}, {&s.out, &s.stdio.Out, false}, {&s.err, &s.stdio.Err, false}} {
		if p.input && !interactive {
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			s.close()
			return nil, err
		}
		if p.input {
			r, w = w, r
		}
		*p.ours, *p.theirs = r, w
		s.theirs = append(s.theirs, w)
	}
	if s.in != nil {
		s.inlet.w = s.in
	}
	return s, nil
}

// belongTo gives the program's pipes to its user where that has another number
// inside than here: only who is outside can.
func (s *streams) belongTo(p *sandbox.Process, ids sandbox.IDMaps) {
	uid, ok := outsideID(ids.UIDs, p.UID)
	if !ok || len(ids.UIDs) == 0 {
		return
	}
	for _, f := range s.theirs[1:] { // the first is the machine's /dev/null
		_ = f.Chown(int(uid), -1) // else it can't be opened by name
	}
}

// started closes what is the program's alone now.
func (s *streams) started() {
	for _, f := range s.theirs {
		f.Close()
	}
	s.theirs = nil
}

func (s *streams) close() {
	s.started()
	s.inlet.close()
	for _, f := range []*os.File{s.out, s.err} {
		if f != nil {
			f.Close()
		}
	}
}

// pumps are the movers of output.
type pumps struct {
	group   sync.WaitGroup
	console *os.File
}

// pump moves output to the hub, and input from stdin (which may be nil).
func (s *streams) pump(h *hub, console *os.File, stdin io.Reader) *pumps {
	p := &pumps{console: console}
	if console != nil {
		s.inlet.mu.Lock()
		s.inlet.w = &typist{console: console}
		s.inlet.mu.Unlock()
		p.move(h, "stdout", console)
	} else {
		p.move(h, "stdout", s.out)
		p.move(h, "stderr", s.err)
	}
	if stdin != nil {
		// Not waited for: nobody can end a read of somebody else's terminal.
		go func() {
			_, _ = io.Copy(s.inlet, stdin) // a program that reads no more is no fault
			s.inlet.end()
		}()
	}
	return p
}

func (p *pumps) move(h *hub, stream string, from *os.File) {
	p.group.Go(func() {
		if h.pump(stream, from) != nil {
			from.Close() // whose output it was has told why, or knows
		}
	})
}

// wait returns when all that was printed has been moved. A child that outlives
// process 1 by another pid namespace may hold a pipe open: it has had its time.
func (p *pumps) wait() {
	p.group.Wait()
	if p.console != nil {
		p.console.Close()
	}
}

// typist writes to a terminal. It has no end of input but the character.
type typist struct {
	console *os.File
	inLine  bool // what was written last is a line without its end
}

func (t *typist) Write(p []byte) (int, error) {
	if len(p) > 0 {
		t.inLine = p[len(p)-1] != '\n' && p[len(p)-1] != '\r'
	}
	return t.console.Write(p)
}

// endOfFile is VEOF of termios(3), as a terminal has it at first. In the middle of a
// line the first one ends that alone.
const endOfFile = "\x04"

func (t *typist) Close() error {
	end := endOfFile
	if t.inLine {
		end += endOfFile
	}
	_, err := t.console.WriteString(end)
	return err
}
