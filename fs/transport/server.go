package transport

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Server serves the requests of one connection.
type Server struct {
	dev  *Device
	fs   FileSystem
	opts Options

	negotiated atomic.Uint64
	ready      chan struct{}
	readyOnce  sync.Once

	pool   pool
	dog    watchdog
	linger linger
	queues queues
}

// NewServer makes a server; Serve runs it.
func NewServer(d *Device, fs FileSystem, o Options) *Server {
	s := &Server{dev: d, fs: fs, opts: o.withDefaults(), ready: make(chan struct{})}
	s.pool.init(s)
	s.dog.init(s)
	s.queues.s = s
	return s
}

// Negotiated are the capabilities agreed on at INIT, 0 before it.
func (s *Server) Negotiated() uint64 { return s.negotiated.Load() }

// Ready is closed when INIT was answered.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Serve answers requests until the kernel hangs up, and answers nil if that was
// because of an unmount. It is called once. When it returns, every reader has,
// and FileSystem.Destroy was called.
func (s *Server) Serve() error {
	s.dev.hold()
	defer s.dev.drop()
	s.enlist()
	defer s.strike()
	s.linger.begin(s.dev)
	defer s.linger.end()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.dog.run()
	}()
	s.pool.begin()
	err := s.pool.wait()
	s.queues.wait()
	s.dog.stop()
	<-stopped
	s.fs.Destroy()
	return err
}

// answered is told of the reply to INIT.
func (s *Server) answered() {
	s.readyOnce.Do(func() {
		if s.Negotiated()&fuse.CAP_OVER_IO_URING != 0 {
			s.queues.begin()
		}
		close(s.ready)
	})
}

// hangup says what it means that reading failed.
func hangup(err error) error {
	switch {
	case errors.Is(err, unix.ENODEV): // unmounted, or aborted
		return nil
	case errors.Is(err, unix.ECONNABORTED): // the same with CAP_ABORT_ERROR
		return errors.New("the FUSE connection was aborted")
	case errors.Is(err, unix.EPERM): // fuse_dev_read: no connection yet
		return errors.New("the FUSE descriptor isn't mounted")
	}
	return fmt.Errorf("reading requests from %s: %w", devicePath, err)
}

func (s *Server) log(format string, args ...any) {
	if s.opts.Log != nil {
		s.opts.Log(fmt.Sprintf(format, args...))
	}
}
