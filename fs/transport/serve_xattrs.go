package transport

import (
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func serveGetxattr(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	in := input[fuse.GetXAttrIn](c)
	buf := c.space(in.Size)
	size, code := c.s.fs.GetXAttr(c.header(), n, buf)
	return c.sized(in, size, len(buf), code)
}

func serveListxattr(c *call) fuse.Status {
	in := input[fuse.GetXAttrIn](c)
	buf := c.space(in.Size)
	size, code := c.s.fs.ListXAttr(c.header(), buf)
	return c.sized(in, size, len(buf), code)
}

// sized answers the bytes filled in, or their number alone when the caller
// gave no room (fuse_getxattr: size 0).
func (c *call) sized(in *fuse.GetXAttrIn, size, room int, code fuse.Status) fuse.Status {
	if code != fuse.OK || in.Size > 0 {
		return c.filled(size, room, code)
	}
	output[fuse.GetXAttrOut](c).Size = uint32(size)
	return fuse.OK
}

func serveRemovexattr(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.RemoveXAttr(c.header(), n)
}

// xattrExtension is by how much SETXATTR's structure is longer than it was
// before CAP_SETXATTR_EXT (FUSE_COMPAT_SETXATTR_IN_SIZE).
func (s *Server) xattrExtension() int {
	if s.Negotiated()&fuse.CAP_SETXATTR_EXT != 0 {
		return 8
	}
	return 0
}

func serveSetxattr(c *call) fuse.Status {
	rest := c.payload()
	words := (*[2]uint32)(unsafe.Pointer(&c.in[inHeaderSize]))
	in := &c.xattr
	*in = fuse.SetXAttrIn{InHeader: *c.header(), Size: words[0], Flags: words[1]}
	if extension := c.s.xattrExtension(); extension > 0 {
		if len(rest) < extension {
			return fuse.EINVAL
		}
		in.SetXAttrFlags = *(*uint32)(unsafe.Pointer(&rest[0]))
		rest = rest[extension:]
	}
	n, value, ok := name(rest)
	if !ok || uint64(in.Size) > uint64(len(value)) {
		return fuse.EINVAL
	}
	return c.s.fs.SetXAttr(in, n, value[:in.Size])
}
