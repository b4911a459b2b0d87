package fs

import (
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"unionfs/fs/union"
)

// In mode P files are opened, and those that are in upper pass through: the
// kernel reads, writes and maps the host's file itself. An inode's opens either
// all pass through, by one id, or are all cached (fs/fuse/iomode.c): so a file
// that is open from before its copy-up stays cached until every such open is
// released. Lower files are cached, as their data may move to upper while they
// are open.

// handleKind is what a file handle says of its open.
type handleKind uint64

const (
	cachedHandle handleKind = iota + 1
	passedHandle
	writerHandle
	// mapperHandle may change the file through a mapping, of which the kernel
	// doesn't tell: what it keeps of the attributes is old then.
	mapperHandle
)

// opens are the inodes that are open now, by node id. mu is taken with the
// union's locks held, and so never the other way round.
type opens struct {
	mu sync.Mutex
	of map[uint64]*opened
}

// opened is one inode's opens. All but deciding is guarded by opens.mu.
type opened struct {
	cached, passed   int
	writers, mappers int // of those that passed
	backing          int32
	// deciding lets one open after the other find out how it goes on;
	// undecided are those that will, and the one that does.
	deciding  sync.Mutex
	undecided int
}

// enter answers the inode's entry, which stays until leave is called.
func (t *opens) enter(id uint64) *opened {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.of[id]
	if o == nil {
		o = new(opened)
		if t.of == nil {
			t.of = map[uint64]*opened{}
		}
		t.of[id] = o
	}
	o.undecided++
	return o
}

// settle removes what nobody needs any more. The caller holds mu.
func (t *opens) settle(id uint64, o *opened) {
	if o.passed+o.cached+o.undecided == 0 {
		delete(t.of, id)
	}
}

// passes tells whether this mount is in mode P.
func (f *face) passes() bool { return f.has(fuse.CAP_PASSTHROUGH) }

// openInModeP serves OPEN. A file that may be written is copied up at once, as
// the kernel's overlayfs does, since it is read and written faster then.
func (f *face) openInModeP(in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	write := in.Flags&unix.O_ACCMODE != unix.O_RDONLY
	var err error
	switch {
	case in.Flags&unix.O_TRUNC != 0:
		c := union.Change{Valid: union.SetSize}
		if in.Mode&fuse.OPEN_KILL_SUIDGID != 0 {
			c.Valid |= union.KillSuid
		}
		var st union.Attr
		err = f.u.SetAttr(n, &c, &st)
	case write:
		err = f.u.CopyUp(n)
	}
	if err != nil {
		return f.status(err)
	}
	f.open(in.NodeId, n, in.Flags&unix.O_ACCMODE, out)
	return fuse.OK
}

// open decides how an open goes on.
func (f *face) open(id uint64, n *union.Inode, access uint32, out *fuse.OpenOut) {
	t := &f.opens
	o := t.enter(id)
	o.deciding.Lock()
	defer o.deciding.Unlock()
	upper := f.u.InUpper(n)
	t.mu.Lock()
	closed := o.passed+o.cached == 0
	t.mu.Unlock()
	backing := int32(0)
	if closed && upper {
		backing = f.register(n) // nobody else opens it meanwhile
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	o.undecided--
	if backing != 0 {
		o.backing = backing
	}
	if o.backing != 0 {
		o.pass(access, out)
		return
	}
	out.Fh = uint64(cachedHandle)
	if o.cached > 0 || !upper {
		out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	} // else it may have passed through since it was cached last
	o.cached++
}

// pass answers an open that passes through.
func (o *opened) pass(access uint32, out *fuse.OpenOut) {
	o.passed++
	out.OpenFlags, out.BackingID, out.Fh = fuse.FOPEN_PASSTHROUGH, o.backing, uint64(passedHandle)
	switch access {
	case unix.O_WRONLY:
		o.writers++
		out.Fh = uint64(writerHandle)
	case unix.O_RDWR:
		o.mappers++
		out.Fh = uint64(mapperHandle)
	}
}

// register makes the file of an inode in upper known to the kernel, and answers
// 0 where that can't be. Who writes to a file with suid or sgid says whether they
// go (FUSE_WRITE_KILL_SUIDGID), which depends on the writer: such a file is
// cached.
func (f *face) register(n *union.Inode) (backing int32) {
	err := f.u.WithUpperFile(n, func(fd int) error {
		var st unix.Stat_t
		err := unix.Fstat(fd, &st)
		if err != nil || st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
			return err
		}
		backing, err = f.server.OpenBacking(fd)
		return err
	})
	if err != nil {
		return 0
	}
	return backing
}

// released serves RELEASE.
func (f *face) released(in *fuse.ReleaseIn) {
	t := &f.opens
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.of[in.NodeId]
	if o == nil {
		return
	}
	switch handleKind(in.Fh) {
	case cachedHandle:
		o.cached--
	case mapperHandle:
		o.mappers--
		o.passed--
		f.attrChanged(in.NodeId)
	case writerHandle:
		o.writers--
		o.passed--
	case passedHandle:
		o.passed--
	}
	if o.passed == 0 && o.backing != 0 {
		f.server.CloseBacking(o.backing)
		o.backing = 0
	}
	t.settle(in.NodeId, o)
}

// changesUnseen tells whether a node's attributes may change without the kernel
// knowing: by mappings that pass through, and by writes that drop suid.
func (f *face) changesUnseen(id uint64, st *union.Attr) bool {
	if !f.passes() {
		return false
	}
	f.opens.mu.Lock()
	defer f.opens.mu.Unlock()
	o := f.opens.of[id]
	return o != nil && (o.mappers > 0 || o.writers > 0 && st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0)
}
