package layertar

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// openDirs keeps the directories of layers that were used last open.
type openDirs struct {
	fds   map[dirRef]int
	order []dirRef
	next  int
}

const maxOpenDirs = 64

func newOpenDirs() *openDirs {
	return &openDirs{fds: map[dirRef]int{}, order: make([]dirRef, maxOpenDirs)}
}

// open answers a descriptor that is good until the next call.
func (o *openDirs) open(ref dirRef) (int, error) {
	if ref.path == "" {
		return ref.layer.fd, nil
	}
	if fd, ok := o.fds[ref]; ok {
		return fd, nil
	}
	fd, err := hostfs.OpenDir(ref.layer.fd, ref.path)
	if err != nil {
		return -1, err
	}
	if old, ok := o.fds[o.order[o.next]]; ok {
		hostfs.Close(old)
		delete(o.fds, o.order[o.next])
	}
	o.fds[ref], o.order[o.next] = fd, ref
	o.next = (o.next + 1) % len(o.order)
	return fd, nil
}

func (o *openDirs) close() {
	for _, fd := range o.fds {
		hostfs.Close(fd)
	}
	clear(o.fds)
}

func (s *stack) stat(p place, st *unix.Statx_t) error {
	fd, err := s.dirs.open(dirRef{p.layer, p.dir})
	if err != nil {
		return err
	}
	return hostfs.Statx(fd, p.name, st)
}
