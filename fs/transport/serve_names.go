package transport

import (
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func serveLookup(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.Lookup(c.header(), n, output[fuse.EntryOut](c))
}

func serveForget(c *call) fuse.Status {
	in := input[fuse.ForgetIn](c)
	c.s.fs.Forget(in.NodeId, in.Nlookup)
	return fuse.OK
}

// forgetOne is struct fuse_forget_one.
type forgetOne struct{ node, lookups uint64 }

func serveBatchForget(c *call) fuse.Status {
	count := *(*uint32)(unsafe.Pointer(&c.in[inHeaderSize]))
	rest := c.payload()
	size := sizeOf[forgetOne]()
	for ; count > 0 && len(rest) >= size; count-- {
		one := (*forgetOne)(unsafe.Pointer(&rest[0]))
		c.s.fs.Forget(one.node, one.lookups)
		rest = rest[size:]
	}
	return fuse.OK
}

func serveSymlink(c *call) fuse.Status {
	n, rest, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	target, _, ok := name(rest)
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.Symlink(c.header(), target, n, output[fuse.EntryOut](c))
}

func serveMknod(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.Mknod(input[fuse.MknodIn](c), n, output[fuse.EntryOut](c))
}

func serveMkdir(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.Mkdir(input[fuse.MkdirIn](c), n, output[fuse.EntryOut](c))
}

func serveUnlink(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.Unlink(c.header(), n)
}

func serveRmdir(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.Rmdir(c.header(), n)
}

// serveRename serves the request without flags, whose structure is shorter.
func serveRename(c *call) fuse.Status {
	c.rename = fuse.RenameIn{InHeader: *c.header(), Newdir: *(*uint64)(unsafe.Pointer(&c.in[inHeaderSize]))}
	return c.renamed(&c.rename)
}

func serveRename2(c *call) fuse.Status { return c.renamed(input[fuse.RenameIn](c)) }

func (c *call) renamed(in *fuse.RenameIn) fuse.Status {
	from, rest, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	to, _, ok := name(rest)
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.Rename(in, from, to)
}

func serveLink(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.Link(input[fuse.LinkIn](c), n, output[fuse.EntryOut](c))
}

func serveCreate(c *call) fuse.Status {
	n, _, ok := name(c.payload())
	if !ok {
		return fuse.EINVAL
	}
	return c.s.fs.Create(input[fuse.CreateIn](c), n, output[fuse.CreateOut](c))
}

// serveTmpfile: the name sent along is the kernel's own and means nothing.
func serveTmpfile(c *call) fuse.Status {
	return c.s.fs.Tmpfile(input[fuse.CreateIn](c), output[fuse.CreateOut](c))
}

func serveReadlink(c *call) fuse.Status {
	target, code := c.s.fs.Readlink(c.header())
	return c.filled(copy(c.space(uint32(len(target))), target), len(target), code)
}

func serveOpendir(c *call) fuse.Status {
	return c.s.fs.OpenDir(input[fuse.OpenIn](c), output[fuse.OpenOut](c))
}

func serveReleasedir(c *call) fuse.Status { return c.s.fs.ReleaseDir(input[fuse.ReleaseIn](c)) }

func serveFsyncdir(c *call) fuse.Status { return c.s.fs.FsyncDir(input[fuse.FsyncIn](c)) }

func serveReaddir(c *call) fuse.Status {
	in := input[fuse.ReadIn](c)
	return c.listed(c.s.fs.ReadDir(in, c.entries(in)))
}

func serveReaddirplus(c *call) fuse.Status {
	in := input[fuse.ReadIn](c)
	return c.listed(c.s.fs.ReadDirPlus(in, c.entries(in)))
}

// entries is a list that fills the reply itself.
func (c *call) entries(in *fuse.ReadIn) *fuse.DirEntryList {
	c.list = *fuse.NewDirEntryList(c.space(in.Size), in.Offset)
	return &c.list
}

func (c *call) listed(code fuse.Status) fuse.Status {
	c.size = len(c.list.Bytes())
	return code
}
