package fs

import (
	"sync"
	"sync/atomic"

	"unionfs/fs/union"
)

const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
	rootID    = 1
)

// nodes maps node ids to inodes. Reading takes no lock; ids are dense, so that
// the map is an array.
type nodes struct {
	chunks atomic.Pointer[[]*chunk]

	mu   sync.Mutex
	free []uint64
	next uint64
}

type chunk [chunkSize]node

type node struct {
	inode atomic.Pointer[union.Inode]
	// generation tells the uses of an id apart; it grows when one ends.
	generation atomic.Uint64
}

func newNodes(root *union.Inode) *nodes {
	t := &nodes{next: rootID}
	t.chunks.Store(new([]*chunk))
	t.idOf(root)
	return t
}

func (t *nodes) slot(id uint64) *node {
	chunks := *t.chunks.Load()
	if c := id >> chunkBits; c < uint64(len(chunks)) {
		return &chunks[c][id&(chunkSize-1)]
	}
	return nil
}

// get answers the inode, or nil for an id that is not in use.
func (t *nodes) get(id uint64) *union.Inode {
	if s := t.slot(id); s != nil {
		return s.inode.Load()
	}
	return nil
}

// idOf answers the id of n, which the caller holds a reference of, and its
// generation.
func (t *nodes) idOf(n *union.Inode) (id, generation uint64) {
	if id = n.Tag().Load(); id == 0 {
		id = t.assign(n)
	}
	return id, t.slot(id).generation.Load()
}

func (t *nodes) assign(n *union.Inode) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id := n.Tag().Load(); id != 0 {
		return id
	}
	var id uint64
	if k := len(t.free); k > 0 {
		id = t.free[k-1]
		t.free = t.free[:k-1]
	} else {
		id = t.next
		t.next++
		t.grow(id)
	}
	t.slot(id).inode.Store(n)
	n.Tag().Store(id)
	return id
}

func (t *nodes) grow(id uint64) {
	chunks := *t.chunks.Load()
	if id>>chunkBits < uint64(len(chunks)) {
		return
	}
	grown := append(chunks[:len(chunks):len(chunks)], new(chunk))
	t.chunks.Store(&grown)
}

// gone frees the id of an inode that has left memory.
func (t *nodes) gone(n *union.Inode) {
	id := n.Tag().Load()
	if id == 0 {
		return
	}
	s := t.slot(id)
	s.inode.Store(nil)
	s.generation.Add(1)
	t.mu.Lock()
	t.free = append(t.free, id)
	t.mu.Unlock()
}
