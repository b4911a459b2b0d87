package transport

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// reader reads requests and answers them.
type reader struct {
	s    *Server
	in   []byte
	call call
	// fd is where the request was read, and is answered.
	fd int
	// skip is for how many requests more it won't linger, and skips for how many
	// it wouldn't the last time.
	skip, skips int
	// wake ends a spare's sleep: true to go on, false to end.
	wake chan bool

	// turn counts requests begun and ended: odd while a handler runs.
	turn atomic.Uint64
	// stuck was set by the watchdog, which no longer counts on this reader.
	stuck atomic.Bool
	// seen is the turn at the watchdog's last look; spare is for the pool.
	// Both are guarded by pool.mu.
	seen  uint64
	spare bool
}

// newReader makes a reader. The allocator gives objects of this size whole
// pages, which are only touched as far as requests are long. They are the
// collector's, not mmap'd: a FileSystem that breaks the rule and keeps a slice
// gets other bytes, not a fault.
func newReader(s *Server) *reader {
	size := s.opts.bufferSize()
	return &reader{
		s: s, in: make([]byte, size), wake: make(chan bool, 1),
		call: call{s: s, out: make([]byte, size)},
	}
}

// run is the loop. The thread ends with the goroutine, since it is never
// unlocked: a burst of slow requests leaves no threads behind.
func (r *reader) run() {
	runtime.LockOSThread()
	// A fault in mapped memory, as when a mapped file was truncated, becomes a
	// panic and so EIO for one request.
	debug.SetPanicOnFault(true)
	s := r.s
	defer s.pool.leave(r)
	for {
		n, err := r.read()
		if err != nil {
			s.pool.end(hangup(err))
			return
		}
		r.turn.Add(1)
		s.dog.nudge()
		r.answer(r.in[:n])
		r.turn.Add(1)
		if r.call.fatal != nil {
			s.pool.end(r.call.fatal)
			return
		}
		if (r.stuck.Load() || s.pool.crowded.Load()) && !s.pool.settle(r) {
			return
		}
	}
}

// read answers the length of the next request.
func (r *reader) read() (int, error) {
	if n, ok := r.s.linger.next(r); ok {
		r.fd = r.s.linger.fd
		return n, nil
	}
	r.fd = r.s.dev.fd
	return r.wait()
}

// wait waits for a request. ENOENT says that it was taken back while it was
// being read (fuse_dev_do_read). The blocking is known to the scheduler, so
// that it holds up neither the collector nor other goroutines.
func (r *reader) wait() (int, error) {
	for {
		n, err := unix.Read(r.fd, r.in)
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
	c := &r.call
	reply := c.handle(in)
	if len(reply) == 0 {
		return
	}
	err := write(r.fd, c.opcode, reply)
	switch err {
	case nil:
		if c.opcode == opInit && c.agreed {
			r.s.answered()
		}
	case unix.ENOENT, unix.ENODEV:
		// Nobody waits: the caller was killed, or the mount has gone.
	default:
		// A reply that the kernel refuses leaves the caller waiting, unless
		// another one follows (fuse_dev_do_write). That it had been taken
		// all the same is ENOENT here.
		r.s.log("incident: the kernel refuses the reply of %d bytes to %s: %v", len(reply), opName(c.opcode), err)
		_ = write(r.fd, c.opcode, c.fail(fuse.EIO))
	}
}
