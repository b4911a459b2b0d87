package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Unlink removes a name of anything but a directory.
func (u *Union) Unlink(parent *Inode, name string) error {
	return u.remove(parent, name, false)
}

// Rmdir removes an empty directory.
func (u *Union) Rmdir(parent *Inode, name string) error {
	return u.remove(parent, name, true)
}

func (u *Union) remove(parent *Inode, name string, isDir bool) error {
	if parent.dir == nil {
		return unix.ENOTDIR
	}
	if u.upper == nil {
		return unix.EROFS
	}
	if err := u.copyUp(parent, inUpper, all); err != nil {
		return err
	}
	n, err := u.victim(parent, name, isDir)
	if err != nil {
		return err
	}
	defer u.Forget(n, 1)
	u.tree.RLock()
	defer u.tree.RUnlock()
	return u.removeName(parent, name, n)
}

// victim finds what a removal or an overwriting rename takes the name from,
// with a reference, ready to lose it: a lower file with several names first
// gets its place in the index, so that its link count stays right.
func (u *Union) victim(parent *Inode, name string, isDir bool) (*Inode, error) {
	n, err := u.held(parent, name)
	if err != nil {
		return nil, err
	}
	switch {
	case isDir && n.dir == nil:
		err = unix.ENOTDIR
	case !isDir && n.dir != nil:
		err = unix.EISDIR
	case n.dir == nil && n.state.Load() == inLower && n.linked && u.keepsIndex():
		err = u.indexOnly(n)
	}
	if err != nil {
		u.Forget(n, 1)
		return nil, err
	}
	return n, nil
}

// held answers the inode of a name with a reference, without a look at the
// host when the inode is there.
func (u *Union) held(parent *Inode, name string) (*Inode, error) {
	u.tree.RLock()
	defer u.tree.RUnlock()
	t, err := u.rlock(parent.dir)
	if err != nil {
		return nil, err
	}
	if e := t.get(name); e != nil && e.inode != nil {
		n := e.inode
		n.refs.Add(1)
		parent.dir.mu.RUnlock()
		return n, nil
	}
	parent.dir.mu.RUnlock()
	var attr Attr
	return u.lookupHeld(parent, name, &attr)
}

// indexOnly copies a lower file's metadata to the index without a name.
func (u *Union) indexOnly(n *Inode) error {
	n.copyMu.Lock()
	defer n.copyMu.Unlock()
	if n.state.Load() != inLower {
		return nil
	}
	for {
		if err := u.copyUpFile(n, inMeta, all, false); err != unix.EAGAIN {
			return err
		}
	}
}

// removeName takes the name from n. The caller holds Union.tree.
func (u *Union) removeName(parent *Inode, name string, n *Inode) error {
	d := parent.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := u.loaded(d)
	if err != nil {
		return err
	}
	e := t.get(name)
	if e == nil || e.inode != n {
		return unix.ENOENT // somebody else removed it since
	}
	h, err := u.openDir(d.upper)
	if err != nil {
		return err
	}
	defer h.release()
	if err := u.makeNative(h.fd, e); err != nil {
		return err
	}
	if n.dir != nil {
		err = u.removeDir(h.fd, e, n)
	} else {
		err = u.removeFile(h.fd, parent, e, n)
	}
	if err != nil {
		return err
	}
	t.hide(e, e.top >= 0 || e.hasLower)
	return nil
}

// removeFile removes one name. The caller holds the directory's lock.
func (u *Union) removeFile(dirfd int, parent *Inode, e *entry, n *Inode) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.top != topUpper {
		e.hasLower = true
		if err := u.placeWhiteout(dirfd, e.name); err != nil {
			return err
		}
		n.dropLink(parent, e.name)
		return u.lostLowerName(n)
	}
	orphan, err := u.takeAway(dirfd, e)
	if err != nil {
		return err
	}
	n.dropLink(parent, e.name)
	return u.lostUpperName(n, orphan)
}

// lostUpperName decides what becomes of the file whose name has gone to work:
// with another place known it isn't needed there, else the inode lives on in
// it until it is forgotten. The caller holds n.mu.
func (u *Union) lostUpperName(n *Inode, orphan string) error {
	if n.indexed {
		u.removeStaged(orphan)
		return u.dropIndex(n)
	}
	if n.parent != nil || n.seldom().orphan != "" {
		u.removeStaged(orphan)
		return nil
	}
	u.orphan(n, orphan)
	return nil
}

func (u *Union) lostLowerName(n *Inode) error {
	if !n.indexed {
		return nil
	}
	if err := u.dropLowerName(n); err != nil {
		return err
	}
	return u.dropIndex(n)
}

// dropIndex takes an indexed file that has no name left, in upper or below,
// out of the index; it lives on in work.
func (u *Union) dropIndex(n *Inode) error {
	if n.seldom().lowerNames > 0 {
		return nil
	}
	name := u.indexName(n)
	var st unix.Statx_t
	if err := hostfs.Statx(u.work.index.fd, name, &st); err != nil || st.Nlink > 1 {
		return err
	}
	orphan := u.work.name()
	if err := hostfs.Rename(u.work.index.fd, name, u.work.stage.fd, orphan, 0); err != nil {
		return err
	}
	u.work.mu.Lock()
	delete(u.work.indexed, n.ino)
	u.work.mu.Unlock()
	n.indexed = false
	u.orphan(n, orphan)
	return nil
}

// removeDir removes an empty directory's name. What upper has of it, at most
// whiteouts, goes to work in one rename and is cleared there.
func (u *Union) removeDir(dirfd int, e *entry, n *Inode) error {
	n.dir.mu.Lock()
	defer n.dir.mu.Unlock()
	if err := u.checkEmpty(n.dir); err != nil {
		return err
	}
	last, err := u.lastAttr(n)
	if err != nil {
		return err
	}
	switch {
	case e.top != topUpper:
		e.hasLower = true
		err = u.placeWhiteout(dirfd, e.name)
	case !e.hasLower && u.rmdir(dirfd, e.name) == nil:
	default:
		var orphan string
		if orphan, err = u.takeAway(dirfd, e); err == nil {
			u.removeStaged(orphan)
		}
	}
	if err != nil {
		return err
	}
	u.bury(n, last)
	return nil
}

// checkEmpty answers ENOTEMPTY unless no name shows. The caller holds d.mu.
func (u *Union) checkEmpty(d *dir) error {
	t, err := u.loaded(d)
	if err != nil {
		return err
	}
	if t.visible() > 0 {
		return unix.ENOTEMPTY
	}
	return nil
}

// lastAttr is what stat will say of a directory after its end.
func (u *Union) lastAttr(n *Inode) (Attr, error) {
	var last Attr
	n.mu.RLock()
	defer n.mu.RUnlock()
	p, err := u.metaPlace(n)
	if err != nil {
		return last, err
	}
	defer p.release()
	err = u.statPlace(p, &last)
	last.Ino, last.Nlink = n.ino, 0
	return last, err
}

// bury ends a directory that has lost its name. The caller holds n.dir.mu.
func (u *Union) bury(n *Inode, last Attr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dropLink(n.parent, n.name)
	n.dir.removed, n.dir.last = true, last
	n.dir.table = newTable()
	if n.dir.upper != nil {
		u.dirs.drop(&n.dir.upper.slot)
	}
}
