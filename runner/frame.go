package runner

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"sync"
)

// A container's monitor is spoken to over a unix socket, in frames: a byte that
// says what it is, four of its length (big-endian), and so many bytes. The
// first frame is a request; what follows belongs to it. One connection is one
// request.

// frameKind says what is in a frame.
type frameKind byte

const (
	frameRequest frameKind = 'q' // JSON
	frameInput   frameKind = 'i' // for standard input, or of an archive
	frameEOF     frameKind = 'e' // no more of it
	frameResize  frameKind = 'r' // rows and columns, two bytes each
	frameSignal  frameKind = 's' // one byte
	frameDetach  frameKind = 'd' // the client goes, the container stays
	frameOut     frameKind = '1'
	frameErr     frameKind = '2'
	frameEnd     frameKind = 'x' // it is done: an answer, as JSON
)

// maxFrame is more than anybody sends.
const maxFrame = 1 << 20

// framed is a connection that several may write to.
type framed struct {
	mu sync.Mutex
	io.ReadWriteCloser
}

func (f *framed) send(kind frameKind, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		part := payload[:min(len(payload), maxFrame)]
		payload = payload[len(part):]
		frame := append(binary.BigEndian.AppendUint32([]byte{byte(kind)}, uint32(len(part))), part...)
		if _, err := f.Write(frame); err != nil || len(payload) == 0 {
			return err
		}
	}
}

func (f *framed) sendJSON(kind frameKind, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.send(kind, text)
}

func (f *framed) receive() (frameKind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxFrame {
		return 0, nil, errors.New("a frame is too long")
	}
	payload := make([]byte, size)
	_, err := io.ReadFull(f, payload)
	return frameKind(head[0]), payload, err
}

// output is a writer whose bytes travel as frames.
type output struct {
	f    *framed
	kind frameKind
}

func (o output) Write(p []byte) (int, error) { return len(p), o.f.send(o.kind, p) }

func sizePayload(rows, cols uint16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, rows), cols)
}

func parseSize(payload []byte) (rows, cols uint16, ok bool) {
	if len(payload) != 4 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:]), true
}

// request is what a client wants of a monitor.
type request struct {
	Op     string    `json:"op"`
	Stdin  bool      `json:"stdin,omitempty"`  // attach
	Owner  bool      `json:"owner,omitempty"`  // attach: the container ends with the client
	Signal int       `json:"signal,omitempty"` // signal
	Path   string    `json:"path,omitempty"`   // get, put
	Exec   *ExecSpec `json:"exec,omitempty"`   // exec
	Follow bool      `json:"follow,omitempty"` // get: the symlink's target
	Freeze bool      `json:"freeze,omitempty"` // freeze
}

// answer is how a request ended.
type answer struct {
	Error string          `json:"error,omitempty"`
	Code  int             `json:"code,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// ExecSpec is a further program in a running container.
type ExecSpec struct {
	Args        []string `json:"args"`
	Env         []string `json:"env,omitempty"`
	Dir         string   `json:"dir,omitempty"`
	User        string   `json:"user,omitempty"`
	TTY         bool     `json:"tty,omitempty"`
	Interactive bool     `json:"interactive,omitempty"`
	Privileged  bool     `json:"privileged,omitempty"`
	Detach      bool     `json:"detach,omitempty"`
}
