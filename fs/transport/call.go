package transport

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	inHeaderSize  = int(unsafe.Sizeof(fuse.InHeader{}))
	outHeaderSize = int(unsafe.Sizeof(fuse.OutHeader{}))
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
	// silent requests get no reply.
	silent bool
}

// handle answers the request in with a reply built in out; none is empty.
func (c *call) handle(in, out []byte) []byte {
	c.in, c.out, c.size, c.silent = in, out, 0, false
	if len(in) < inHeaderSize {
		c.s.log("request of %d bytes is too short", len(in))
		return nil
	}
	h := c.header()
	c.opcode, c.unique = h.Opcode, h.Unique
	if int(h.Length) < len(in) && int(h.Length) >= inHeaderSize {
		c.in = in[:h.Length]
	}
	if ext := int(h.TotalExtlen) * 8; ext > 0 {
		if ext > len(c.in)-inHeaderSize {
			return c.fail(fuse.EINVAL)
		}
		c.in = c.in[:len(c.in)-ext]
	}
	if c.s.opts.Debug != nil {
		c.s.opts.Debug(fmt.Sprintf("-> %d %s node %d pid %d, %d bytes", h.Unique, opName(h.Opcode), h.NodeId, h.Pid, len(in)))
	}
	return c.finish(c.dispatch())
}

func (c *call) header() *fuse.InHeader { return (*fuse.InHeader)(unsafe.Pointer(&c.in[0])) }

func (c *call) finish(code fuse.Status) []byte {
	c.s.stats.count(c.opcode, code)
	if c.s.opts.Debug != nil {
		c.s.opts.Debug(fmt.Sprintf("<- %d %s: %v, %d bytes", c.unique, opName(c.opcode), code, c.size))
	}
	if c.silent {
		return nil
	}
	if code != fuse.OK {
		return c.fail(code)
	}
	c.seal(outHeaderSize+c.size, code)
	return c.out[:outHeaderSize+c.size]
}

// fail is a reply that says no more than an errno.
func (c *call) fail(code fuse.Status) []byte {
	c.seal(outHeaderSize, code)
	return c.out[:outHeaderSize]
}

func (c *call) seal(length int, code fuse.Status) {
	h := (*fuse.OutHeader)(unsafe.Pointer(&c.out[0]))
	h.Length, h.Status, h.Unique = uint32(length), -int32(code), c.unique
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
			c.s.log("incident: %s of node %d: %v\n%s", op.name, c.header().NodeId, p, debug.Stack())
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

// output reserves the reply's structure, zeroed.
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
	return c.out[outHeaderSize:min(outHeaderSize+int(n), len(c.out))]
}

func (st *counters) count(op uint32, code fuse.Status) {
	if op >= maxOpcode {
		return
	}
	st.calls[op].Add(1)
	if code != fuse.OK {
		st.errors[op].Add(1)
	}
}
