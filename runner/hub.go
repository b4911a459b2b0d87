package runner

import (
	"io"
	"sync"
)

// Output takes what a container prints: stream is "stdout" or "stderr". What it
// does holds the container up. An error ends its part; that of MonitorOptions ends
// the stream.
type Output func(stream string, text []byte) error

// hub is where a container's streams meet those who are attached to it.
type hub struct {
	log *Log // nil for a program whose output isn't kept
	// unlogged is told once that the log can't be written; it may be nil.
	unlogged func(error)
	logOnce  sync.Once
	// here is this process's own output; nil without one.
	here Output
	// stdin is the container's; nil when it has none.
	stdin *inlet

	mu      sync.Mutex
	outputs map[int]Output
	next    int
	// held is what was printed before the owner came, while one is awaited.
	held    []piece
	heldLen int
	await   bool
}

// piece is something that was printed.
type piece struct {
	stream string
	text   []byte
}

// maxHeld is how much an owner who comes late gets to see.
const maxHeld = 8 << 20

func newHub(log *Log) *hub { return &hub{log: log, outputs: map[int]Output{}} }

// attachOwner adds an output that gets all that was printed before it came.
func (h *hub) attachOwner(o Output) (leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.held {
		if o(p.stream, p.text) != nil {
			break
		}
	}
	h.await, h.held = false, nil
	return h.add(o)
}

// attach adds an output; leave takes it away.
func (h *hub) attach(o Output) (leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.add(o)
}

// add is attach for a caller with the lock.
func (h *hub) add(o Output) (leave func()) {
	id := h.next
	h.next++
	h.outputs[id] = o
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.outputs, id)
	}
}

// pump moves what the container prints to the log and to all outputs, until the
// stream ends, or this process's own output takes no more: who reads the stream
// no further is to close it, so that the program hears what it would hear if it
// had that output itself.
func (h *hub) pump(stream string, from io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if werr := h.print(stream, buf[:n]); werr != nil {
				return werr
			}
		}
		if err != nil {
			return nil // EOF; EIO from a terminal that nobody has open any more
		}
	}
}

func (h *hub) print(stream string, text []byte) error {
	if h.log != nil {
		if err := h.log.write(stream, text); err != nil && h.unlogged != nil {
			h.logOnce.Do(func() { h.unlogged(err) })
		}
	}
	h.mu.Lock()
	if h.await && h.heldLen < maxHeld {
		h.held = append(h.held, piece{stream, append([]byte(nil), text...)})
		h.heldLen += len(text)
	}
	ids := make([]int, 0, len(h.outputs))
	for id := range h.outputs {
		ids = append(ids, id)
	}
	h.mu.Unlock()
	for _, id := range ids {
		h.mu.Lock()
		o := h.outputs[id]
		h.mu.Unlock()
		if o != nil && o(stream, text) != nil {
			h.mu.Lock()
			delete(h.outputs, id)
			h.mu.Unlock()
		}
	}
	if h.here != nil {
		return h.here(stream, text)
	}
	return nil
}

// inlet is a container's standard input, shared by those who are attached.
type inlet struct {
	mu sync.Mutex
	w  io.WriteCloser
	// once says that it is closed when the first who writes ends.
	once bool
}

func (i *inlet) Write(p []byte) (int, error) {
	i.mu.Lock()
	w := i.w
	i.mu.Unlock()
	if w == nil {
		return 0, io.ErrClosedPipe
	}
	return w.Write(p)
}

// end is the end of one writer's input.
func (i *inlet) end() {
	i.mu.Lock()
	once := i.once
	i.mu.Unlock()
	if once {
		i.close()
	}
}

// endWithOne has it close with the first who ends.
func (i *inlet) endWithOne() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.once = true
}

func (i *inlet) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.w != nil {
		_ = i.w.Close() // the container sees the end whatever this says
		i.w = nil
	}
}
