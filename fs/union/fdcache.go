package union

import (
	"sync"
	"sync/atomic"

	"unionfs/fs/hostfs"
)

// handle is an open descriptor that a cache may close when nobody uses it.
type handle struct {
	fd int
	// writable says that fd was opened for reading and writing.
	writable bool
	// users counts those who hold the handle, one of them the cache while
	// the handle is in its slot. At zero the descriptor is closed.
	users atomic.Int32
	// recent is set by every use and cleared by the cache's sweep.
	recent atomic.Bool
	slot   *slot
	at     int // place in the ring, under the cache's lock
}

// slot is where an owner (a directory or an inode) keeps its cached handle.
type slot = atomic.Pointer[handle]

// acquire adds a user unless the last one has already left.
func (h *handle) acquire() bool {
	for {
		n := h.users.Load()
		if n == 0 {
			return false
		}
		if h.users.CompareAndSwap(n, n+1) {
			if !h.recent.Load() {
				h.recent.Store(true)
			}
			return true
		}
	}
}

// release gives a use back.
func (h *handle) release() {
	if h.users.Add(-1) == 0 {
		hostfs.Close(h.fd)
	}
}

// cached answers the slot's handle with a use taken, or nil.
func cached(s *slot) *handle {
	h := s.Load()
	if h == nil || !h.acquire() {
		return nil
	}
	return h
}

// fdCache bounds the descriptors kept open for speed. It evicts by second
// chance: the clock hand passes over handles used since its last visit.
type fdCache struct {
	limit int
	mu    sync.Mutex
	ring  []*handle
	hand  int
}

func newFDCache(limit int) *fdCache { return &fdCache{limit: max(limit, 4)} }

// put stores fd in s and answers it with a use taken. When another handle got
// there first, that one is answered and fd is closed, unless the new one can
// do more.
func (c *fdCache) put(s *slot, fd int, writable bool) *handle {
	h := &handle{fd: fd, writable: writable, slot: s}
	h.users.Store(2)
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := s.Load(); old != nil {
		if (old.writable || !writable) && old.acquire() {
			hostfs.Close(fd)
			return old
		}
		c.removeLocked(old)
	}
	s.Store(h)
	c.makeRoomLocked()
	h.at = len(c.ring)
	c.ring = append(c.ring, h)
	return h
}

// drop empties the slot; the descriptor closes when its last user leaves.
func (c *fdCache) drop(s *slot) {
	if s.Load() == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := s.Load(); h != nil {
		c.removeLocked(h)
	}
}

func (c *fdCache) removeLocked(h *handle) {
	if h.at < len(c.ring) && c.ring[h.at] == h {
		c.evictLocked(h.at)
	}
}

func (c *fdCache) evictLocked(i int) {
	h := c.ring[i]
	last := len(c.ring) - 1
	c.ring[i] = c.ring[last]
	c.ring[i].at = i
	c.ring[last] = nil
	c.ring = c.ring[:last]
	h.slot.CompareAndSwap(h, nil)
	h.release()
}

func (c *fdCache) makeRoomLocked() {
	for len(c.ring) >= c.limit {
		if c.hand >= len(c.ring) {
			c.hand = 0
		}
		if h := c.ring[c.hand]; h.recent.Swap(false) {
			c.hand++
			continue
		}
		c.evictLocked(c.hand)
	}
}

// halve gives up half of the descriptors.
func (c *fdCache) halve() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range (len(c.ring) + 1) / 2 {
		c.evictLocked(len(c.ring) - 1)
	}
}

// close empties the cache.
func (c *fdCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.ring) > 0 {
		c.evictLocked(len(c.ring) - 1)
	}
}
