package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// socketName is where clients reach a container's monitor, in its run folder.
const socketName = "monitor.sock"

// maxSocketPath is the size of sun_path (unix(7)), the zero byte included.
const maxSocketPath = 108

// control answers clients while the container runs.
type control struct {
	m        *monitor
	listener net.Listener
	dir      string

	mu    sync.Mutex
	conns map[*framed]bool
	wait  sync.WaitGroup
}

// listenControl opens the socket. Its folder is the user's own, which nobody
// else may enter.
func (r *Runner) listenControl(c *Container, m *monitor) (*control, error) {
	dir, err := r.runDir(c)
	if err != nil {
		return nil, fmt.Errorf("the folder for sockets: %w", err)
	}
	path := filepath.Join(dir, socketName)
	_ = os.Remove(path) // a killed monitor's
	go sweepSockets(r.RunDir)
	l, err := net.Listen("unix", path)
	if errors.Is(err, unix.EINVAL) && len(path) >= maxSocketPath {
		err = fmt.Errorf("the path of a socket, %s, is too long for the kernel by %d bytes: set XDG_RUNTIME_DIR to a shorter folder of your own", path, len(path)-maxSocketPath+1)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	k := &control{m: m, listener: l, dir: dir, conns: map[*framed]bool{}}
	go k.accept()
	return k, nil
}

func (k *control) accept() {
	for {
		conn, err := k.listener.Accept()
		if err != nil {
			return // closed
		}
		f := &framed{ReadWriteCloser: conn}
		if !k.add(f) {
			return
		}
		k.wait.Go(func() {
			defer k.drop(f)
			k.serve(f)
		})
	}
}

func (k *control) add(f *framed) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.conns == nil {
		_ = f.Close()
		return false
	}
	k.conns[f] = true
	return true
}

func (k *control) drop(f *framed) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, f)
	_ = f.Close()
}

// serve answers one request.
func (k *control) serve(f *framed) {
	kind, payload, err := f.receive()
	var q request
	if err != nil || kind != frameRequest || json.Unmarshal(payload, &q) != nil {
		return // nobody who knows the protocol
	}
	do, ok := operations[q.Op]
	if !ok {
		_ = f.sendJSON(frameEnd, answer{Error: fmt.Sprintf("the monitor knows no %q", q.Op)})
		return
	}
	a, err := do(k.m, f, &q)
	if errors.Is(err, errNoAnswer) {
		return
	}
	if err != nil {
		a.Error = err.Error()
	}
	_ = f.sendJSON(frameEnd, a) // who has gone needs no answer
}

// errNoAnswer says that the client has gone, or gets its answer elsewhere.
var errNoAnswer = errors.New("no answer")

// operations are what a monitor does for clients.
var operations = map[string]func(m *monitor, f *framed, q *request) (answer, error){
	"attach": (*monitor).attachClient,
	"exec":   (*monitor).execClient,
	"signal": (*monitor).signalClient,
	"stats":  (*monitor).statsClient,
	"top":    (*monitor).topClient,
	"freeze": (*monitor).freezeClient,
	"sync":   func(m *monitor, _ *framed, _ *request) (answer, error) { return answer{}, m.sync() },
	"get":    (*monitor).getClient,
	"put":    (*monitor).putClient,
	"stat":   (*monitor).statClient,
}

// lastWords is how long clients may take to hear how it ended.
const lastWords = 2 * time.Second

// end lets nobody in any more, gives those who are there their answers, and
// clears the socket away.
func (k *control) end() {
	_ = k.listener.Close() // and removes the socket
	heard := make(chan struct{})
	go func() {
		k.wait.Wait()
		close(heard)
	}()
	select {
	case <-heard:
	case <-time.After(lastWords):
	}
	k.mu.Lock()
	for f := range k.conns {
		_ = f.Close()
	}
	k.conns = nil
	k.mu.Unlock()
	<-heard
	_ = os.RemoveAll(k.dir)
}

// dial reaches a running container's monitor with a request.
func (r *Runner) dial(ctx context.Context, c *Container, q request) (*framed, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(r.RunDir, c.Short(), socketName))
	if err != nil {
		if !monitored(&c.Snapshot) {
			return nil, fmt.Errorf("container %s is not running", c.nameOrID())
		}
		return nil, fmt.Errorf("the monitor of container %s can't be reached: %w", c.nameOrID(), err)
	}
	f := &framed{ReadWriteCloser: conn}
	if err := f.sendJSON(frameRequest, q); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// ask makes a request that has nothing but an answer.
func (r *Runner) ask(ctx context.Context, c *Container, q request, value any) error {
	f, err := r.dial(ctx, c, q)
	if err != nil {
		return err
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { _ = f.Close() })
	defer stop()
	if value == nil {
		return drainInto(f, io.Discard)
	}
	return answerOf(f, value)
}

func (c *Container) nameOrID() string {
	if c.Name != "" {
		return c.Name
	}
	return c.Short()
}
