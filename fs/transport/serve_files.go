package transport

import (
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
	buf := c.space(in.Size)
	if len(buf) < int(in.Size) {
		return fuse.EIO // a short answer would be the end of the file
	}
	n, code := c.s.fs.Read(in, buf)
	return c.filled(n, len(buf), code)
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
	in := &c.copied
	*in = *input[fuse.CopyFileRangeIn](c)
	// The short form's answer has 32 bits; whole pages keep it aligned.
	in.Len = min(in.Len, 1<<32-1<<16)
	out := output[fuse.WriteOut](c)
	n, code := c.s.fs.CopyFileRange(in)
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
	given := c.payload()
	if uint64(in.InSize) > uint64(len(given)) {
		return fuse.EINVAL
	}
	out := output[fuse.IoctlOut](c)
	room := c.out[outHeaderSize+c.size:]
	if uint64(in.OutSize) > uint64(len(room)) {
		return fuse.EINVAL
	}
	buf := room[:in.OutSize]
	clear(buf)
	code := c.s.fs.Ioctl(in, given[:in.InSize], out, buf)
	c.size += len(buf)
	return code
}

func serveStatfs(c *call) fuse.Status {
	return c.s.fs.StatFs(c.header(), output[fuse.StatfsOut](c))
}

func serveSyncfs(c *call) fuse.Status { return c.s.fs.SyncFs(c.header()) }

// serveDestroy: Serve calls FileSystem.Destroy when every reader has come home.
func serveDestroy(c *call) fuse.Status { return fuse.OK }
