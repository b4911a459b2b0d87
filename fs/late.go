package fs

import (
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"

	"unionfs/fs/union"
)

// lateErrors are the failures of cached writes that no writer has heard of yet.
// With the write-back cache write(2) succeeds before the server sees the data,
// and the kernel tells of a failure only at close or fsync: whoever writes until
// the disk is full would never stop. But before each cached write the kernel
// makes sure of the file's mode (fuse_cache_write_iter), and so asks for the
// attributes if they were invalidated: that question gets the error.
type lateErrors struct {
	count atomic.Int64
	mu    sync.Mutex
	of    map[*union.Inode]fuse.Status
}

func (l *lateErrors) put(n *union.Inode, status fuse.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[*union.Inode]fuse.Status{}
	}
	l.of[n] = status
	l.count.Store(int64(len(l.of)))
}

// take answers the inode's error, once.
func (l *lateErrors) take(n *union.Inode) fuse.Status {
	if l.count.Load() == 0 {
		return fuse.OK
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	status := l.of[n]
	delete(l.of, n)
	l.count.Store(int64(len(l.of)))
	return status
}

// lateFailure remembers why a cached write failed and makes the kernel ask.
func (f *face) lateFailure(id uint64, n *union.Inode, status fuse.Status) {
	f.late.put(n, status)
	f.attrChanged(id)
}

// beforeWrite tells whether the kernel asks for attributes on behalf of an open
// file: for stat(2) and its kin it doesn't name one (fuse_do_getattr).
func beforeWrite(in *fuse.GetAttrIn) bool { return in.Flags()&fuse.FUSE_GETATTR_FH != 0 }
