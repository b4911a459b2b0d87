package transport

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Options says how a Server talks to the kernel. The zero value of each field
// is a sensible default.
type Options struct {
	// Want are the fuse.CAP_* bits wanted; those the kernel offers are taken.
	Want uint64
	// MaxWrite is the largest WRITE and READ in bytes.
	MaxWrite int
	// MaxReadAhead bounds the kernel's read-ahead in bytes.
	MaxReadAhead int
	// MaxBackground bounds asynchronous requests under way.
	MaxBackground int
	// MaxStackDepth is the depth allowed below files passed through.
	MaxStackDepth int
	// Debug gets one line for each request and reply; nil turns it off.
	Debug func(line string)
	// Log gets one line for each incident; nil drops them.
	Log func(line string)
}

// The largest request: 256 pages, the kernel's default limit
// (fs.fuse.max_pages_limit).
const defaultMaxWrite = 1 << 20

const (
	// maxReaders bounds the memory that blocked handlers take.
	maxReaders = 256
	// maxSpares is how many idle readers are kept.
	maxSpares = 4
)

// Server serves the requests of one connection.
type Server struct {
	dev  *Device
	fs   FileSystem
	opts Options
	hot  int32 // readers that should wait in read(2)

	negotiated atomic.Uint64
	ready      chan struct{}
	readyOnce  sync.Once

	waiting atomic.Int32 // readers in read(2)
	readers atomic.Int32
	dog     watchdog
	stats   counters

	mu     sync.Mutex
	spares []*reader
	ended  bool
	err    error
	wg     sync.WaitGroup
}

// NewServer makes a server; Serve runs it.
func NewServer(d *Device, fs FileSystem, o Options) *Server {
	if o.MaxWrite <= 0 || o.MaxWrite > defaultMaxWrite {
		o.MaxWrite = defaultMaxWrite
	}
	if o.MaxBackground <= 0 {
		o.MaxBackground = 64
	}
	s := &Server{dev: d, fs: fs, opts: o, ready: make(chan struct{})}
	s.hot = int32(max(1, runtime.NumCPU()/2))
	s.dog.init(s)
	return s
}

// Negotiated are the capabilities agreed on at INIT, 0 before it.
func (s *Server) Negotiated() uint64 { return s.negotiated.Load() }

// Ready is closed when INIT was answered.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Serve answers requests until the kernel hangs up, which an unmount does. It
// answers nil then. FileSystem.Destroy is called at the end.
func (s *Server) Serve() error {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.dog.run()
	}()
	s.start()
	s.wg.Wait()
	s.dog.stop()
	<-stopped
	s.fs.Destroy()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// start adds a reader.
func (s *Server) start() {
	s.readers.Add(1)
	s.waiting.Add(1)
	s.wg.Add(1)
	r := newReader(s)
	s.dog.watch(r)
	go r.run()
}

// promote makes a spare reader hot, or a new one.
func (s *Server) promote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if k := len(s.spares); k > 0 {
		r := s.spares[k-1]
		s.spares = s.spares[:k-1]
		s.waiting.Add(1)
		r.wake <- true
		return
	}
	if s.readers.Load() < maxReaders {
		s.stats.promoted.Add(1)
		s.start()
	}
}

// park makes r a spare when there are hot readers enough. It answers false
// when r shall end.
func (s *Server) park(r *reader) bool {
	s.mu.Lock()
	if s.ended || len(s.spares) >= maxSpares {
		s.mu.Unlock()
		return false
	}
	s.spares = append(s.spares, r)
	s.mu.Unlock()
	return <-r.wake
}

// end stops all readers: the parked ones now, the others when they come back.
func (s *Server) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended, s.err = true, err
	for _, r := range s.spares {
		r.wake <- false
	}
	s.spares = nil
}

func (s *Server) log(format string, args ...any) {
	if s.opts.Log != nil {
		s.opts.Log(fmt.Sprintf(format, args...))
	}
}

// reader reads requests and answers them.
type reader struct {
	s    *Server
	in   []byte
	out  []byte
	wake chan bool
	// turn counts requests begun and ended: odd while a handler runs.
	turn atomic.Uint64
	// seen is what the watchdog saw at its last look.
	seen uint64
	call call
}

func newReader(s *Server) *reader {
	r := &reader{s: s, wake: make(chan bool, 1)}
	r.in = make([]byte, s.opts.MaxWrite+unix.Getpagesize())
	r.out = make([]byte, s.opts.MaxWrite+unix.Getpagesize())
	r.call.s = s
	return r
}

func (r *reader) run() {
	s := r.s
	defer s.wg.Done()
	defer s.readers.Add(-1)
	defer s.dog.unwatch(r)
	for {
		n, err := r.read()
		s.waiting.Add(-1)
		if err != nil {
			if err == unix.ENODEV {
				err = nil // unmounted
			}
			s.end(err)
			// The others are woken from read(2) by the same hang-up.
			return
		}
		r.turn.Add(1)
		s.dog.nudge()
		r.answer(r.in[:n])
		r.turn.Add(1)
		if s.waiting.Add(1) > s.hot {
			s.waiting.Add(-1)
			if !s.park(r) {
				return
			}
		}
	}
}

// read waits for a request. ENOENT says that the request was taken back
// (fuse_dev_do_read).
func (r *reader) read() (int, error) {
	for {
		n, err := unix.Read(r.s.dev.fd, r.in)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR, unix.EAGAIN, unix.ENOENT:
			continue
		}
		return 0, err
	}
}

// answer handles one request and writes the reply, if there is one.
func (r *reader) answer(in []byte) {
	reply := r.call.handle(in, r.out)
	if len(reply) == 0 {
		return
	}
	for {
		_, err := unix.Write(r.s.dev.fd, reply)
		switch err {
		case unix.EINTR, unix.EAGAIN:
			continue
		case nil, unix.ENOENT, unix.ENODEV:
			// ENOENT: the caller has gone; ENODEV: the mount has.
		default:
			r.s.log("reply of %d bytes to %s: %v", len(reply), opName(r.call.opcode), err)
			r.s.retract(&r.call, err)
		}
		return
	}
}

// retract answers EIO in place of a reply that the kernel refused, so that the
// caller doesn't wait for ever.
func (s *Server) retract(c *call, _ error) {
	reply := c.fail(fuse.EIO)
	_, _ = unix.Write(s.dev.fd, reply)
}
