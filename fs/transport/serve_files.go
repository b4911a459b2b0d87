package transport

import (
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func serveGetattr(c *call) fuse.Status {
	return c.s.fs.GetAttr(input[fuse.GetAttrIn](c), output[fuse.AttrOut](c))
}

func serveSetattr(c *call) fuse.Status {
	return c.s.fs.SetAttr(input[fuse.SetAttrIn](c), output[fuse.AttrOut](c))
}

func serveStatx(c *call) fuse.Status {
	return c.s.fs.Statx(input[fuse.StatxIn](c), output[fuse.StatxOut](c))
}

func serveAccess(c *call) fuse.Status { return c.s.fs.Access(input[fuse.AccessIn](c)) }

func serveOpen(c *call) fuse.Status {
	return c.s.fs.Open(input[fuse.OpenIn](c), output[fuse.OpenOut](c))
}

func serveRelease(c *call) fuse.Status { return c.s.fs.Release(input[fuse.ReleaseIn](c)) }

func serveFlush(c *call) fuse.Status { return c.s.fs.Flush(input[fuse.FlushIn](c)) }

func serveFsync(c *call) fuse.Status { return c.s.fs.Fsync(input[fuse.FsyncIn](c)) }

func serveRead(c *call) fuse.Status {
	in := input[fuse.ReadIn](c)
	n, code := c.s.fs.Read(in, c.space(in.Size))
	c.size = n
	return code
}

func serveWrite(c *call) fuse.Status {
	in := input[fuse.WriteIn](c)
	data := c.payload()
	if uint64(in.Size) > uint64(len(data)) {
		return fuse.EINVAL
	}
	out := output[fuse.WriteOut](c)
	n, code := c.s.fs.Write(in, data[:in.Size])
	out.Size = n
	return code
}

func serveFallocate(c *call) fuse.Status { return c.s.fs.Fallocate(input[fuse.FallocateIn](c)) }

func serveLseek(c *call) fuse.Status {
	return c.s.fs.Lseek(input[fuse.LseekIn](c), output[fuse.LseekOut](c))
}

func serveCopyFileRange(c *call) fuse.Status {
	in := *input[fuse.CopyFileRangeIn](c)
	// The short form's answer has 32 bits; whole pages keep it aligned.
	in.Len = min(in.Len, 1<<32-1<<16)
	out := output[fuse.WriteOut](c)
	n, code := c.s.fs.CopyFileRange(&in)
	out.Size = uint32(n)
	return code
}

func serveCopyFileRange64(c *call) fuse.Status {
	out := output[fuse.CopyFileRangeOut](c)
	n, code := c.s.fs.CopyFileRange(input[fuse.CopyFileRangeIn](c))
	out.BytesCopied = n
	return code
}

func serveIoctl(c *call) fuse.Status {
	in := input[fuse.IoctlIn](c)
	out := output[fuse.IoctlOut](c)
	room := c.out[outHeaderSize+c.size:]
	buf := room[:min(int(in.OutSize), len(room))]
	clear(buf)
	code := c.s.fs.Ioctl(in, c.payload(), out, buf)
	c.size += len(buf)
	return code
}

func serveStatfs(c *call) fuse.Status {
	return c.s.fs.StatFs(c.header(), output[fuse.StatfsOut](c))
}

func serveSyncfs(c *call) fuse.Status { return c.s.fs.SyncFs(c.header()) }

// serveDestroy: Serve calls FileSystem.Destroy when every reader has come home.
func serveDestroy(c *call) fuse.Status { return fuse.OK }

func serveGetxattr(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	in := input[fuse.GetXAttrIn](c)
	size, code := c.s.fs.GetXAttr(c.header(), n, c.space(in.Size))
	return c.sized(in, size, code)
}

func serveListxattr(c *call) fuse.Status {
	in := input[fuse.GetXAttrIn](c)
	size, code := c.s.fs.ListXAttr(c.header(), c.space(in.Size))
	return c.sized(in, size, code)
}

// sized answers the size alone when that was asked for.
func (c *call) sized(in *fuse.GetXAttrIn, size int, code fuse.Status) fuse.Status {
	if code != fuse.OK {
		return code
	}
	if in.Size > 0 {
		c.size = size
		return fuse.OK
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

// serveSetxattr: the structure is longer when CAP_SETXATTR_EXT was agreed on.
func serveSetxattr(c *call) fuse.Status {
	rest := c.payload()
	words := (*[2]uint32)(unsafe.Pointer(&c.in[inHeaderSize]))
	in := fuse.SetXAttrIn{InHeader: *c.header(), Size: words[0], Flags: words[1]}
	if c.s.Negotiated()&fuse.CAP_SETXATTR_EXT != 0 {
		if len(rest) < 8 {
			return fuse.EINVAL
		}
		in.SetXAttrFlags = *(*uint32)(unsafe.Pointer(&rest[0]))
		rest = rest[8:]
	}
	n, value, ok := name(rest)
	if !ok || uint64(in.Size) > uint64(len(value)) {
		return fuse.EINVAL
	}
	return c.s.fs.SetXAttr(&in, n, value[:in.Size])
}
