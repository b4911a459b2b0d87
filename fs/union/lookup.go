package union

import (
	"golang.org/x/sys/unix"
)

// Lookup finds name in the directory, takes a reference and fills attr. The
// name is not kept.
func (u *Union) Lookup(parent *Inode, name string, attr *Attr) (*Inode, error) {
	if parent.dir == nil {
		return nil, unix.ENOTDIR
	}
	if len(name) > NameMax {
		return nil, unix.ENAMETOOLONG
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	if u.live {
		if err := u.refresh(parent); err != nil {
			return nil, err
		}
	}
	return u.lookupHeld(parent, name, attr)
}

// NameMax is the longest name, in bytes, as on every file system that can be
// upper.
const NameMax = 255

// instantiate makes the inode of a name that nobody holds, with a reference.
// The caller holds Union.tree and no table.
func (u *Union) instantiate(parent *Inode, name string, attr *Attr) (*Inode, error) {
	parent.dir.mu.Lock()
	t, err := u.loaded(parent.dir)
	if err != nil {
		parent.dir.mu.Unlock()
		return nil, err
	}
	e := t.get(name)
	if e == nil {
		parent.dir.mu.Unlock()
		return nil, unix.ENOENT
	}
	n, fresh, err := u.inodeOf(parent, e, attr)
	parent.dir.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if fresh {
		err = u.show(n, attr)
	} else {
		err = u.attrOf(n, attr)
	}
	if err != nil {
		u.forgetLocked(n, 1)
		return nil, err
	}
	return n, nil
}

// inodeOf answers the entry's inode with a reference, making it when it isn't
// there. fresh says that attr holds what the host says of it, links counted.
// The caller holds Union.tree and parent.dir.mu for writing.
func (u *Union) inodeOf(parent *Inode, e *entry, attr *Attr) (n *Inode, fresh bool, err error) {
	if e.inode != nil {
		e.inode.refs.Add(1)
		return e.inode, false, nil
	}
	ref := parent.dir.upper
	if e.top >= 0 {
		ref = parent.dir.lowers[e.top]
	}
	p, err := u.lookLower(&lowerRef{ref, e.name})
	if err != nil {
		return nil, false, err
	}
	p.upper = e.top == topUpper
	defer p.release()
	if err := u.statPlace(p, attr); err != nil {
		return nil, false, err
	}
	e.dtype = uint8(attr.Mode & unix.S_IFMT >> 12)
	if e.dtype == dtDir {
		n, err = u.newDir(parent, e, ref, p, attr)
		fresh = true
	} else {
		n, fresh, err = u.newNondir(parent, e, ref, p, attr)
	}
	if err != nil {
		return nil, false, err
	}
	e.inode, e.ino = n, n.ino
	return n, fresh, nil
}

func (u *Union) newDir(parent *Inode, e *entry, ref *dirRef, p place, attr *Attr) (*Inode, error) {
	d, err := u.resolve(parent.dir, e)
	if err != nil {
		return nil, err
	}
	if len(d.lowers) > 0 {
		d.top = d.lowers[0]
	}
	n := &Inode{ino: u.inoOf(ref.layer, attr), typ: unix.S_IFDIR, dir: d}
	if p.upper {
		n.state.Store(inUpper)
		origin, err := u.readOrigin(p)
		if err != nil {
			return nil, err
		}
		if origin != 0 {
			n.ino = origin
		}
	}
	n.addLink(parent, e.name)
	n.refs.Add(1)
	return n, nil
}

// newNondir makes the inode of a file, or finds the one that another of its
// names has already brought to life.
func (u *Union) newNondir(parent *Inode, e *entry, ref *dirRef, p place, attr *Attr) (n *Inode, fresh bool, err error) {
	n = &Inode{typ: uint32(attr.Mode) & unix.S_IFMT, ino: u.inoOf(ref.layer, attr)}
	if p.upper {
		err = u.readUpper(n, parent, e, p, attr)
	} else {
		n.lower = &lowerRef{ref, e.name}
	}
	if err != nil {
		return nil, false, err
	}
	if attr.Nlink < 2 || u.partsLinks(p) {
		n.addLink(parent, e.name)
		n.refs.Add(1)
		return n, true, nil
	}
	return u.shareLinks(n, parent, e.name, attr)
}

// partsLinks tells whether the names of a lower file go separate ways at
// copy-up, for want of an index, and so are separate files from the start.
func (u *Union) partsLinks(p place) bool {
	return !p.upper && u.upper != nil && !u.keepsIndex()
}

// shareLinks makes the names of one file one inode. A lower file that was
// copied up under another of its names is found through work's index.
func (u *Union) shareLinks(n *Inode, parent *Inode, name string, attr *Attr) (*Inode, bool, error) {
	fresh := true
	if u.work != nil && u.work.isIndexed(n.ino) && !n.indexed {
		if err := u.enterIndexed(n, attr); err != nil {
			return nil, false, err
		}
		fresh = false
	}
	if n.indexed {
		nondirLinks(n, attr)
	}
	n.linked = true
	n.addLink(parent, name)
	first := u.claim(n)
	if first == n {
		return n, fresh, nil
	}
	n.dropLink(parent, name)
	first.mu.Lock()
	defer first.mu.Unlock()
	first.addLink(parent, name)
	return first, false, nil
}

// claim answers the inode that stands for n's file, n itself unless another
// name has brought one to life already, with a reference: taken under linksMu,
// which detach looks under.
func (u *Union) claim(n *Inode) *Inode {
	u.linksMu.Lock()
	defer u.linksMu.Unlock()
	if old := u.links[n.ino]; old != nil && old.typ == n.typ {
		n = old
	} else {
		u.links[n.ino] = n
	}
	n.refs.Add(1)
	return n
}

// readUpper reads what upper's private attributes say of a file.
func (u *Union) readUpper(n *Inode, parent *Inode, e *entry, p place, attr *Attr) error {
	m, err := readFileMarks(p)
	if err != nil {
		return err
	}
	n.state.Store(inUpper)
	if u.recordsOrigin(n.typ) {
		r := u.recorded(attr)
		m.origin, m.links = r.origin, r.links
	}
	if m.origin != (identity{}) {
		if ino, ok := u.inos.known(m.origin); ok {
			n.ino = ino
		}
		if u.work != nil {
			n.indexed = u.work.isIndexed(n.ino)
			n.setLowerNames(m.links)
		}
	}
	if m.metacopy && n.isRegular() {
		data, err := u.findData(parent.dir, e.name, m.redirect)
		if err != nil {
			return err
		}
		n.data = data
		n.state.Store(inMeta)
	}
	return nil
}

// readOrigin answers the number of the object that a directory in upper was
// copied up from, or 0.
func (u *Union) readOrigin(p place) (uint64, error) {
	m, err := readFileMarks(p)
	if err != nil || m.origin == (identity{}) {
		return 0, err
	}
	ino, _ := u.inos.known(m.origin)
	return ino, nil
}

// statLower stats a lower object with the host's ids.
func (u *Union) statLower(r *lowerRef, st *unix.Statx_t) error {
	p, err := u.lookLower(r)
	if err != nil {
		return err
	}
	defer p.release()
	return p.stat(st)
}
