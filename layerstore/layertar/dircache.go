package layertar

import (
	"container/list"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// handle is a directory's place in the cache.
type handle struct {
	open *openDir
	at   *list.Element
}

// openDir is a descriptor that jobs share with the cache.
type openDir struct {
	fd    int
	users atomic.Int32
	lent  bool // the caller's own
}

func (d *openDir) release() {
	if d.users.Add(-1) == 0 && !d.lent {
		hostfs.Close(d.fd)
	}
}

// maxOpen bounds the descriptors that are kept.
const maxOpen = 128

// dirCache keeps the directories in use open, the last used in front.
type dirCache struct{ order list.List }

// pin enters the root, which stays.
func (c *dirCache) pin(n *node, fd int) {
	n.handle.open = &openDir{fd: fd, lent: true}
	n.handle.open.users.Store(1)
}

// open answers a descriptor of n, good until the next call.
func (c *dirCache) open(n *node) (int, error) {
	if n.handle.open == nil {
		if err := c.enter(n); err != nil {
			return -1, err
		}
	} else if n.handle.at != nil {
		c.order.MoveToFront(n.handle.at)
	}
	return n.handle.open.fd, nil
}

// acquire answers one that is good until it is released.
func (c *dirCache) acquire(n *node) (*openDir, error) {
	if _, err := c.open(n); err != nil {
		return nil, err
	}
	n.handle.open.users.Add(1)
	return n.handle.open, nil
}

// enter opens n by way of the next directory above it that is open. A tree may
// be deeper than a stack.
func (c *dirCache) enter(n *node) error {
	var way []*node
	at := n
	for at.handle.open == nil {
		way = append(way, at)
		at = at.parent
	}
	fd, owned := at.handle.open.fd, false
	for i := len(way) - 1; i >= 0; i-- {
		next, err := hostfs.Open(fd, way[i].name, unix.O_PATH|unix.O_DIRECTORY, 0)
		if owned {
			hostfs.Close(fd)
		}
		if err != nil {
			return err
		}
		fd, owned = next, true
	}
	n.handle.open = &openDir{fd: fd}
	n.handle.open.users.Store(1)
	n.handle.at = c.order.PushFront(n)
	if c.order.Len() > maxOpen {
		c.drop(c.order.Back().Value.(*node))
	}
	return nil
}

// drop forgets n's descriptor.
func (c *dirCache) drop(n *node) {
	if n.handle.at == nil {
		return
	}
	c.order.Remove(n.handle.at)
	n.handle.open.release()
	n.handle = handle{}
}

func (c *dirCache) close() {
	for c.order.Len() > 0 {
		c.drop(c.order.Back().Value.(*node))
	}
}
