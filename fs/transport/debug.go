package transport

import (
	"fmt"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// requestLine is a request for people.
func (c *call) requestLine() string {
	h := c.header()
	var b strings.Builder
	fmt.Fprintf(&b, "-> %d %s node %d", h.Unique, opName(h.Opcode), h.NodeId)
	for _, n := range c.names() {
		fmt.Fprintf(&b, " %q", n)
	}
	fmt.Fprintf(&b, " uid %d pid %d, %d bytes", h.Uid, h.Pid, h.Length)
	return b.String()
}

// replyLine is a reply for people.
func (c *call) replyLine(code fuse.Status) string {
	line := fmt.Sprintf("<- %d %s: ", c.unique, opName(c.opcode))
	if code != fuse.OK {
		return line + unix.ErrnoName(unix.Errno(code))
	}
	return line + fmt.Sprintf("OK, %d bytes", c.size)
}

// names are the names in a request, if it has any.
func (c *call) names() [][]byte {
	if c.opcode >= maxOpcode || len(c.in) < ops[c.opcode].size {
		return nil
	}
	rest := c.payload()
	if c.opcode == opSetxattr {
		rest = rest[min(c.s.xattrExtension(), len(rest)):]
	}
	var names [][]byte
	for range ops[c.opcode].names {
		n, more, ok := name(rest)
		if !ok {
			break
		}
		names, rest = append(names, n), more
	}
	return names
}
