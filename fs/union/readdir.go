package union

import "golang.org/x/sys/unix"

// DirEntry is one row of a listing.
type DirEntry struct {
	Name string
	Ino  uint64
	Type uint8 // DT_*
	// Cookie is where a listing that ends with this entry goes on. It holds
	// whatever is made or removed meanwhile, also without anybody having
	// the directory open.
	Cookie uint64
	// Inode and Attr are set by a listing with attributes, for all but "."
	// and "..". The inode comes with a reference.
	Inode *Inode
	Attr  Attr
}

// listBatch is how many entries are taken from the table at a time.
const listBatch = 64

// ReadDir calls yield with the entries after cookie (0 is the beginning) until
// it answers false: then that entry was not taken, and the reference that came
// with it is given back. With plus, entries carry inode and attributes.
func (u *Union) ReadDir(n *Inode, cookie uint64, plus bool, yield func(e *DirEntry) bool) error {
	if n.dir == nil {
		return unix.ENOTDIR
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	if u.live && cookie == 0 {
		if err := u.refresh(n); err != nil {
			return err
		}
	}
	l := lister{u: u, dir: n, plus: plus, yield: yield}
	if more, err := l.dots(cookie); err != nil || !more {
		return err
	}
	var batch [listBatch]DirEntry
	for {
		got, err := l.next(batch[:0], max(cookie, firstCookie-1))
		if err != nil || len(got) == 0 {
			return err
		}
		for i := range got {
			if more, err := l.give(&got[i]); err != nil || !more {
				return err
			}
			cookie = got[i].Cookie
		}
	}
}

type lister struct {
	u     *Union
	dir   *Inode
	plus  bool
	yield func(e *DirEntry) bool
}

// dots lists "." and "..", cookies 1 and 2.
func (l *lister) dots(cookie uint64) (more bool, err error) {
	if cookie < 1 && !l.yield(&DirEntry{Name: ".", Ino: l.dir.ino, Type: dtDir, Cookie: 1}) {
		return false, nil
	}
	if cookie >= 2 {
		return true, nil
	}
	parent := l.dir.parentNow()
	if parent == nil {
		parent = l.dir
	}
	return l.yield(&DirEntry{Name: "..", Ino: parent.ino, Type: dtDir, Cookie: 2}), nil
}

// parentNow is the directory of n's first name, nil for the root and for what
// has no name. The caller holds Union.tree.
func (n *Inode) parentNow() *Inode {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.parent
}

// next copies the rows after cookie out of the table.
func (l *lister) next(batch []DirEntry, cookie uint64) ([]DirEntry, error) {
	t, err := l.u.rlock(l.dir.dir)
	if err != nil {
		return nil, err
	}
	defer l.dir.dir.mu.RUnlock()
	t.after(cookie, func(e *entry) bool {
		if len(batch) == cap(batch) {
			return false
		}
		batch = append(batch, DirEntry{Name: e.name, Ino: e.ino, Type: e.dtype, Cookie: e.cookie})
		return true
	})
	return batch, nil
}

// give completes a row and hands it out. A name removed since is passed over.
func (l *lister) give(row *DirEntry) (more bool, err error) {
	if !l.plus && row.Ino != 0 {
		return l.yield(row), nil
	}
	n, err := l.u.lookupHeld(l.dir, row.Name, &row.Attr)
	if err == unix.ENOENT {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	row.Ino, row.Type = n.ino, uint8(n.typ>>12)
	if l.plus {
		row.Inode = n
	}
	if more = l.yield(row); !more || !l.plus {
		l.u.forgetLocked(n, 1)
		row.Inode = nil
	}
	return more, nil
}

// lookupHeld is Lookup for a caller that holds Union.tree.
func (u *Union) lookupHeld(parent *Inode, name string, attr *Attr) (*Inode, error) {
	t, err := u.rlock(parent.dir)
	if err != nil {
		return nil, err
	}
	e := t.get(name)
	if e == nil {
		parent.dir.mu.RUnlock()
		return nil, unix.ENOENT
	}
	n := e.inode
	if n == nil {
		parent.dir.mu.RUnlock()
		return u.instantiate(parent, e.name, attr)
	}
	n.refs.Add(1)
	parent.dir.mu.RUnlock()
	if err := u.attrOf(n, attr); err != nil {
		u.forgetLocked(n, 1)
		return nil, err
	}
	return n, nil
}
