package transport

import (
	"bytes"
	"runtime/debug"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	inHeaderSize  = int(unsafe.Sizeof(fuse.InHeader{}))
	outHeaderSize = int(unsafe.Sizeof(fuse.OutHeader{}))
	// errnoLimit: fuse_dev_do_write takes errnos below it.
	errnoLimit = 512
)

// call is one request being answered. A reader reuses its own.
type call struct {
	s      *Server
	in     []byte // the request, without extensions
	out    []byte // the reply's buffer, header first
	opcode uint32
	unique uint64
	// size is the length of the reply behind the header.
	size int
	// agreed says that INIT was, and fatal ends the server after the reply.
	agreed bool
	fatal  error

	counts counters
	// What handlers are given that isn't in a buffer as it is.
	list   fuse.DirEntryList
	rename fuse.RenameIn
	xattr  fuse.SetXAttrIn
	copied fuse.CopyFileRangeIn
}

// handle answers the request in. The reply is in the call's own buffer; none is
// empty.
func (c *call) handle(in []byte) []byte {
	c.in, c.size = in, 0
	if len(in) < inHeaderSize {
		// fuse_dev_do_read never splits a header, and there is nobody to tell.
		c.s.log("incident: a request of %d bytes is too short", len(in))
		return nil
	}
	h := c.header()
	c.opcode, c.unique = h.Opcode, h.Unique
	code := fuse.EINVAL
	if c.trim(h) {
		if c.s.opts.Debug != nil {
			c.s.opts.Debug(c.requestLine())
		}
		code = c.dispatch()
	}
	return c.finish(code)
}

// trim cuts the request to its length, without the extensions at its end
// (struct fuse_ext_header), and tells whether that leaves a header and the
// opcode's structure.
func (c *call) trim(h *fuse.InHeader) bool {
	length := int64(h.Length) - int64(h.TotalExtlen)*8
	if int64(h.Length) > int64(len(c.in)) || length < int64(inHeaderSize) {
		return false
	}
	c.in = c.in[:length]
	return true
}

func (c *call) header() *fuse.InHeader { return (*fuse.InHeader)(unsafe.Pointer(&c.in[0])) }

// finish counts the call and completes its reply.
func (c *call) finish(code fuse.Status) []byte {
	if code < 0 || code >= errnoLimit {
		code = fuse.EIO
	}
	c.counts.count(c.opcode, code)
	if c.s.opts.Debug != nil {
		c.s.opts.Debug(c.replyLine(code))
	}
	if c.opcode < maxOpcode && ops[c.opcode].silent {
		return nil
	}
	if code != fuse.OK {
		return c.fail(code)
	}
	return c.seal(c.size, fuse.OK)
}

// fail is a reply that says no more than an errno: one with a payload is
// refused (fuse_copy_out_args is not for errors).
func (c *call) fail(code fuse.Status) []byte { return c.seal(0, code) }

func (c *call) seal(size int, code fuse.Status) []byte {
	h := (*fuse.OutHeader)(unsafe.Pointer(&c.out[0]))
	h.Length, h.Status, h.Unique = uint32(outHeaderSize+size), -int32(code), c.unique
	return c.out[:outHeaderSize+size]
}

// dispatch calls the opcode's handler. A panic in it is this request's
// trouble alone: a server that dies is a dead container.
func (c *call) dispatch() (code fuse.Status) {
	if c.opcode >= maxOpcode || ops[c.opcode].serve == nil {
		return fuse.ENOSYS
	}
	op := &ops[c.opcode]
	if len(c.in) < op.size {
		return fuse.EINVAL
	}
	defer func() {
		if p := recover(); p != nil {
			c.s.log("incident: panic at %s of node %d: %v\n%s", op.name, c.header().NodeId, p, debug.Stack())
			code = fuse.EIO
		}
	}()
	return op.serve(c)
}

// payload is what follows the opcode's structure.
func (c *call) payload() []byte { return c.in[ops[c.opcode].size:] }

// name cuts a zero-terminated name off b.
func name(b []byte) (name, rest []byte, ok bool) {
	i := bytes.IndexByte(b, 0)
	if i < 1 {
		return nil, nil, false
	}
	return b[:i:i], b[i+1:], true
}

// input is the request as the opcode's structure.
func input[T any](c *call) *T { return (*T)(unsafe.Pointer(&c.in[0])) }

// output reserves the reply's structure, zeroed: the buffer holds the last
// reply.
func output[T any](c *call) *T {
	p := (*T)(unsafe.Pointer(&c.out[outHeaderSize]))
	var zero T
	*p = zero
	c.size = int(unsafe.Sizeof(zero))
	return p
}

// space is room for n bytes of payload in the reply, or less if n is more than
// any reply may have.
func (c *call) space(n uint32) []byte {
	end := min(outHeaderSize+int(n), len(c.out))
	return c.out[outHeaderSize:end:end]
}

// filled ends a handler that put n bytes in a buffer of that size.
func (c *call) filled(n, size int, code fuse.Status) fuse.Status {
	if code != fuse.OK {
		return code
	}
	if n < 0 || n > size {
		c.s.log("incident: %s of node %d answers %d bytes where %d fit", opName(c.opcode), c.header().NodeId, n, size)
		return fuse.EIO
	}
	c.size = n
	return fuse.OK
}
