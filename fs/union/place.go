package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/fs/index"
)

// place is where an inode's metadata can be reached now: a name below an open
// directory, or the directory itself when the name is empty.
//
// A place that lookPlace answers may have an entry of the layer's index in
// place of the handle.
type place struct {
	h     *handle
	name  string
	upper bool

	entry index.Entry
	known bool
}

func (p place) release() {
	if p.h != nil {
		p.h.release()
	}
}

// stat answers what the host says of the object.
func (p place) stat(st *unix.Statx_t) error {
	if p.known {
		p.entry.Stat(st)
		return nil
	}
	return hostfs.Statx(p.h.fd, p.name, st)
}

// errRemoved says that a directory has no place any more.
var errRemoved error = unix.ENOENT

// metaPlace finds n's metadata. The caller holds Union.tree and n.mu, and
// releases the place.
func (u *Union) metaPlace(n *Inode) (place, error) {
	if n.dir != nil {
		return u.dirPlace(n.dir)
	}
	if n.state.Load() == inLower {
		return u.lowerPlace(n.lower)
	}
	return u.upperPlace(n)
}

func (u *Union) dirPlace(d *dir) (place, error) {
	ref := d.upper
	if d.removed {
		return place{}, errRemoved
	}
	if ref == nil {
		ref = d.top
	}
	if ref.parent == nil {
		h, err := u.openDir(ref)
		return place{h: h, upper: ref.layer == u.upper}, err
	}
	h, err := u.openDir(ref.parent)
	return place{h: h, name: ref.name, upper: ref.layer == u.upper}, err
}

func (u *Union) lowerPlace(r *lowerRef) (place, error) {
	h, err := u.openDir(r.dir)
	return place{h: h, name: r.name}, err
}

// upperPlace finds a non-directory that has been copied up. The index comes
// first because no rename moves it.
func (u *Union) upperPlace(n *Inode) (place, error) {
	switch {
	case n.indexed:
		u.work.index.acquire()
		return place{h: u.work.index, name: u.indexName(n), upper: true}, nil
	case n.parent != nil:
		h, err := u.openDir(n.parent.dir.upper)
		return place{h: h, name: n.name, upper: true}, err
	case n.seldom().orphan != "":
		u.work.stage.acquire()
		return place{h: u.work.stage, name: n.seldom().orphan, upper: true}, nil
	}
	return place{}, unix.ENOENT
}

// withMeta calls do with n's metadata place, under the locks that keep it.
func (u *Union) withMeta(n *Inode, do func(p place) error) error {
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.RLock()
	defer n.mu.RUnlock()
	return u.withMetaLocked(n, do)
}

// withLook is withMeta for those who only look (lookPlace).
func (u *Union) withLook(n *Inode, do func(p place) error) error {
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.RLock()
	defer n.mu.RUnlock()
	p, err := u.lookPlace(n)
	if err != nil {
		return err
	}
	defer p.release()
	return do(p)
}

func (u *Union) withMetaLocked(n *Inode, do func(p place) error) error {
	p, err := u.metaPlace(n)
	if err != nil {
		return err
	}
	defer p.release()
	return do(p)
}

// openPlace opens the object itself with flags, which must not create.
func openPlace(p place, flags int) (int, error) {
	if p.name == "" {
		return hostfs.Reopen(p.h.fd, flags)
	}
	return hostfs.Open(p.h.fd, p.name, flags, 0)
}
