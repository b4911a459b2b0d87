package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// all means no limit on the data a copy-up brings along.
const all = int64(-1)

// copyUp brings n into upper at least as far as want, with its parents. Of
// the data no more than limit bytes are copied (a truncation needs no more).
// The caller holds no lock. After it the state never goes back, so callers
// take their locks afterwards.
func (u *Union) copyUp(n *Inode, want uint32, limit int64) error {
	if n.state.Load() >= want {
		return nil
	}
	if u.upper == nil {
		return unix.EROFS
	}
	if err := u.copyUpParents(n); err != nil {
		return err
	}
	n.copyMu.Lock()
	defer n.copyMu.Unlock()
	switch state := n.state.Load(); {
	case state >= want:
		return nil
	case n.dir != nil:
		return u.copyUpDir(n)
	case state == inMeta:
		return u.fillMetacopy(n, limit)
	}
	for {
		// Only a rename of the name just looked at makes it begin again.
		if err := u.copyUpFile(n, want, limit, true); err != unix.EAGAIN {
			return err
		}
	}
}

// copyUpParents brings the directories above n into upper, the outermost
// first, without recursion: paths may be thousands deep.
func (u *Union) copyUpParents(n *Inode) error {
	var above []*Inode
	u.tree.RLock()
	for p := n.parentNow(); p != nil && p.state.Load() == inLower; p = p.parentNow() {
		above = append(above, p)
	}
	u.tree.RUnlock()
	for i := len(above) - 1; i >= 0; i-- {
		d := above[i]
		d.copyMu.Lock()
		var err error
		if d.state.Load() == inLower {
			err = u.copyUpDir(d)
		}
		d.copyMu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// copyUpDir copies one directory, without what is in it. The caller holds
// n.copyMu; the parent is in upper.
func (u *Union) copyUpDir(n *Inode) error {
	src, err := u.openDir(n.dir.top)
	if err != nil {
		return err
	}
	defer src.release()
	var st unix.Statx_t
	if err := hostfs.Statx(src.fd, "", &st); err != nil {
		return err
	}
	tmp := u.work.name()
	if err := u.mkdir(u.work.stage.fd, tmp, 0o700); err != nil {
		return err
	}
	s := staged{u: u, name: tmp, src: place{h: src}, st: &st}
	if err := s.metadata(u.inos.identity(u.placeOf(n.dir.top.layer, &st), st.Ino)); err != nil {
		u.removeStaged(tmp)
		return err
	}
	return u.publishDirCopy(n, tmp)
}

func (u *Union) publishDirCopy(n *Inode, tmp string) error {
	u.tree.RLock()
	defer u.tree.RUnlock()
	parent := n.parentNow()
	if parent == nil {
		u.removeStaged(tmp)
		return unix.ENOENT
	}
	parent.dir.mu.Lock()
	defer parent.dir.mu.Unlock()
	if n.parentNow() == nil {
		u.removeStaged(tmp)
		return unix.ENOENT
	}
	ref := &dirRef{layer: u.upper, parent: parent.dir.upper, name: n.name}
	if err := u.publishCopy(parent.dir, tmp, n.name); err != nil {
		return err
	}
	e := parent.dir.table.names.get(n.name)
	e.cover()
	e.top = topUpper
	n.dir.mu.Lock()
	n.mu.Lock()
	n.dir.upper = ref
	n.dir.inherit = nil
	n.state.Store(inUpper)
	n.mu.Unlock()
	n.dir.mu.Unlock()
	n.unsynced.Store(true)
	return nil
}

// publishCopy gives a staged copy its name in upper. It is no change of the
// directory, whose times stay. The caller holds Union.tree and d.mu.
func (u *Union) publishCopy(d *dir, tmp, name string) error {
	h, err := u.openDir(d.upper)
	if err != nil {
		return err
	}
	defer h.release()
	var st unix.Statx_t
	if err := hostfs.Statx(h.fd, "", &st); err != nil {
		return err
	}
	if err := hostfs.Rename(u.work.stage.fd, tmp, h.fd, name, unix.RENAME_NOREPLACE); err != nil {
		if err != unix.EINVAL {
			u.removeStaged(tmp)
			return err
		}
		// The file system knows no flags; the table says the name is free.
		if err := hostfs.Rename(u.work.stage.fd, tmp, h.fd, name, 0); err != nil {
			u.removeStaged(tmp)
			return err
		}
	}
	return hostfs.Utimes(h.fd, "", hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime))
}

// copyUpFile copies anything but a directory: whole, or its metadata when
// that is all that is wanted. Unless named, it gets no name in upper, only in
// the index. The caller holds n.copyMu; the parent is in upper.
func (u *Union) copyUpFile(n *Inode, want uint32, limit int64, named bool) error {
	src, err := u.lowerPlace(n.lower)
	if err != nil {
		return err
	}
	defer src.release()
	s := staged{u: u, src: src, st: new(unix.Statx_t)}
	if err := hostfs.Statx(src.h.fd, src.name, s.st); err != nil {
		return err
	}
	metaOnly := want == inMeta && u.metacopies(n, s.st)
	if metaOnly {
		s.redirect = u.lowerPathOf(n)
		metaOnly = s.redirect != ""
	}
	if err := s.make(n, metaOnly, limit); err != nil {
		return err
	}
	err = s.metadata(u.inos.identity(u.placeOf(n.lower.dir.layer, s.st), s.st.Ino))
	if err == nil && !metaOnly && n.isRegular() && s.st.Size > 0 && limit != 0 && u.syncs() {
		err = hostfs.Fsync(s.fd)
	}
	if s.fd > 0 {
		hostfs.Close(s.fd)
	}
	if err != nil {
		u.removeStaged(s.name)
		return err
	}
	state := inUpper
	if metaOnly {
		state = inMeta
	}
	return u.publishFile(n, &s, state, named)
}

// metacopies tells whether the data of a file may stay below.
func (u *Union) metacopies(n *Inode, st *unix.Statx_t) bool {
	return n.isRegular() && st.Size > 0 && !u.cfg.NoMetacopy && u.caps.Xattrs
}

// lowerPathOf is the path at which the layers below upper know the file, or
// "" when it has no name any more.
func (u *Union) lowerPathOf(n *Inode) string {
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.parent == nil || len(n.parent.dir.lowers) == 0 {
		return ""
	}
	path := n.parent.dir.lpath.child(n.name).String()
	if len(path) > redirectMax {
		return ""
	}
	return path
}

// redirectMax is what an xattr surely holds (ext4 without large xattr inodes
// keeps them in one block).
const redirectMax = 2048

// publishFile makes a staged copy the inode's upper object.
func (u *Union) publishFile(n *Inode, s *staged, state uint32, named bool) error {
	u.tree.RLock()
	defer u.tree.RUnlock()
	parent := n.parentNow()
	if parent != nil {
		parent.dir.mu.Lock()
		defer parent.dir.mu.Unlock()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.parent == nil:
		// Unlinked while it was copied: it lives on without a name.
		u.orphan(n, s.name)
	case n.parent != parent:
		u.removeStaged(s.name)
		return unix.EAGAIN
	case s.st.Nlink > 1 && u.keepsIndex():
		if err := u.publishLinked(n, s, named); err != nil {
			return err
		}
	default:
		if err := u.publishCopy(parent.dir, s.name, n.name); err != nil {
			return err
		}
		parent.dir.table.names.get(n.name).coverUpper()
	}
	if state == inMeta && n.data == nil {
		n.data = s.data
	}
	n.state.Store(state)
	n.unsynced.Store(true)
	u.files.drop(&n.file)
	return u.embody(n)
}

// coverUpper says that upper now has the object of a lower name.
func (e *entry) coverUpper() {
	e.top, e.hasLower = topUpper, true
}

func (u *Union) keepsIndex() bool { return !u.cfg.NoIndex && u.caps.Xattrs }

// publishLinked publishes the copy of a file with several lower names: first
// in the index, through which all names find it, then under its own name. The
// count of names left below is right or, after a crash, one too high: never
// too low, which would let the index entry go too early.
func (u *Union) publishLinked(n *Inode, s *staged, named bool) error {
	if err := u.work.makeIndex(); err != nil {
		return err
	}
	id := u.inos.identity(u.placeOf(n.lower.dir.layer, s.st), s.st.Ino).String()
	if err := hostfs.Rename(u.work.stage.fd, s.name, u.work.index.fd, id, 0); err != nil {
		u.removeStaged(s.name)
		return err
	}
	u.work.mu.Lock()
	u.work.indexed[n.ino] = id
	u.work.mu.Unlock()
	n.indexed, n.own().lowerNames = true, int(s.st.Nlink)
	if !named {
		return nil
	}
	return u.coverName(n, n.parent, n.name)
}

// coverName links an indexed inode to one of its lower names. The caller
// holds the directory's lock and n.mu.
func (u *Union) coverName(n *Inode, parent *Inode, name string) error {
	tmp := u.work.name()
	if err := hostfs.Link(u.work.index.fd, u.indexName(n), u.work.stage.fd, tmp); err != nil {
		return err
	}
	if err := u.publishCopy(parent.dir, tmp, name); err != nil {
		return err
	}
	parent.dir.table.names.get(name).coverUpper()
	return u.dropLowerName(n)
}

// dropLowerName counts one lower name less.
func (u *Union) dropLowerName(n *Inode) error {
	if n.seldom().lowerNames > 0 {
		n.own().lowerNames--
	}
	return u.markLinks(n)
}
