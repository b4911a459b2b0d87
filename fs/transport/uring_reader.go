package transport

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Commands of enum fuse_uring_cmd.
const (
	uringRegister       = 1
	uringCommitAndFetch = 2
)

// uringHeaders is struct fuse_uring_req_header: a request's header and its
// opcode's structure, which the reply's header replaces.
type uringHeaders struct {
	inOut  [128]byte
	op     [128]byte
	_      uint64
	commit uint64
	size   uint32 // of the payload
	_      uint32
	_      uint64
}

const (
	// uringFront is the room before the payload, for what belongs before it.
	uringFront = 512
	// uringSideIn is how long requests may be that are moved out of the way of
	// their replies, and uringSideOut how long replies are to longer ones: those
	// are WRITE, SETXATTR and IOCTL.
	uringSideIn, uringSideOut = 8 << 10, 32 << 10
)

// uringReader gets the requests of one queue, that is of one processor, one after
// the other, on a thread and by a ring of its own. Entering the kernel to answer
// one is also the wait for the next.
type uringReader struct {
	s     *Server
	queue int
	ring  *uring
	call  call

	headers *uringHeaders
	iov     [2]unix.Iovec
	buf     []byte // uringFront, and the payload
	in, out []byte // beside it

	joined bool // its entry is registered
	// turn counts requests begun and ended; seen is it at the last look, and guarded
	// by the queues' lock.
	turn atomic.Uint64
	seen uint64
}

func newUringReader(s *Server, queue int, ring *uring) *uringReader {
	r := &uringReader{
		s: s, queue: queue, ring: ring, headers: new(uringHeaders), call: call{s: s},
		buf: make([]byte, uringFront+s.opts.bufferSize()), in: make([]byte, uringSideIn), out: make([]byte, uringSideOut),
	}
	r.iov[0].Base, r.iov[0].Len = (*byte)(unsafe.Pointer(r.headers)), uint64(unsafe.Sizeof(*r.headers))
	r.iov[1].Base, r.iov[1].Len = &r.buf[uringFront], uint64(len(r.buf)-uringFront)
	return r
}

// run is the loop; see reader.run.
func (r *uringReader) run() {
	runtime.LockOSThread()
	debug.SetPanicOnFault(true)
	err := r.begin()
	for err == nil {
		r.s.queues.begins(r.queue)
		r.turn.Add(1)
		r.s.dog.nudge()
		r.answer()
		r.turn.Add(1)
		r.s.queues.ends(r.queue)
		err = r.next()
	}
	if err != errHungUp {
		r.s.log("incident: requests of processor %d over io_uring: %v", r.queue, err)
	}
	r.ring.close()
	r.s.queues.leave(r, err == errHungUp)
}

// errHungUp says that the connection has ended.
var errHungUp = errors.New("the connection has ended")

// begin registers the entry and waits for the first request.
func (r *uringReader) begin() error {
	if err := r.ring.enable(); err != nil {
		return err
	}
	e := r.ring.entry()
	e.command, e.addr, e.len = uringRegister, uint64(uintptr(unsafe.Pointer(&r.iov[0]))), uint32(len(r.iov))
	r.fill(e)
	if err := r.ring.submit(); err != nil {
		return err
	}
	r.s.queues.joins(r)
	// The mount waits for all queues: only now, as this takes its time, to the
	// processor whose requests it gets, if it may be there. The one who asks is
	// there too, so that nobody has to be woken up on another one.
	_ = place(r.queue)
	return r.result("register", true)
}

// next answers the request and waits for the next one.
func (r *uringReader) next() error {
	e := r.ring.entry()
	e.command, e.fuse.commit = uringCommitAndFetch, r.headers.commit
	r.fill(e)
	return r.result("commit", false)
}

func (r *uringReader) fill(e *sqe) {
	e.opcode, e.fd, e.fuse.queue = uringOpCmd, int32(r.s.dev.fd), uint16(r.queue)
}

func (r *uringReader) result(what string, submitted bool) error {
	result, err := r.ring.do(submitted)
	switch errno := unix.Errno(-result); {
	case err != nil:
		return err
	case result >= 0:
		return nil
	case errno == unix.ENOTCONN, errno == unix.ECONNABORTED, errno == unix.ECANCELED, errno == unix.ENODEV:
		return errHungUp
	default:
		return fmt.Errorf("%s: %w", what, errno)
	}
}

// answer handles the request and puts the reply where the kernel looks for it.
func (r *uringReader) answer() {
	c := &r.call
	reply := c.handle(r.request())
	if len(reply) == 0 {
		reply = c.fail(fuse.OK) // there is nothing here that wants no reply
	}
	copy(r.headers.inOut[:], reply[:outHeaderSize])
	if &c.out[0] == &r.out[0] {
		copy(r.buf[uringFront:], reply[outHeaderSize:])
	}
	r.headers.size = uint32(len(reply) - outHeaderSize)
}

// request puts a request together as it is read from the device: its header, the
// opcode's structure, and the rest. The reply's payload has the same place as
// the request's: the shorter of both goes elsewhere.
func (r *uringReader) request() []byte {
	h := r.headers
	length, payload := int((*fuse.InHeader)(unsafe.Pointer(h)).Length), int(h.size)
	structure := length - inHeaderSize - payload
	if payload > len(r.buf)-uringFront || structure < 0 || structure > len(h.op) {
		structure, payload = 0, 0 // not what its header says, which is refused
	}
	before := inHeaderSize + structure
	in := r.in
	if before+payload <= len(in) {
		copy(in[before:], r.buf[uringFront:uringFront+payload])
		r.call.out = r.buf[uringFront-outHeaderSize:]
	} else {
		in = r.buf[uringFront-before:]
		r.call.out = r.out
	}
	copy(in, h.inOut[:inHeaderSize])
	copy(in[inHeaderSize:], h.op[:structure])
	return in[:before+payload]
}
