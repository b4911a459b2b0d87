package union

import (
	"golang.org/x/sys/unix"

	"unionfs/whiteout"
)

// Rename moves a name; flags are renameat2(2)'s RENAME_NOREPLACE and
// RENAME_EXCHANGE. A directory moves by itself: what it merges from lower
// layers follows by a redirect.
func (u *Union) Rename(oldParent *Inode, oldName string, newParent *Inode, newName string, flags uint) error {
	switch {
	case u.upper == nil:
		return unix.EROFS
	case oldParent.dir == nil || newParent.dir == nil:
		return unix.ENOTDIR
	case flags&^(unix.RENAME_NOREPLACE|unix.RENAME_EXCHANGE) != 0:
		return unix.EINVAL // RENAME_WHITEOUT would plant a whiteout in upper
	case len(newName) > NameMax:
		return unix.ENAMETOOLONG
	}
	if err := u.checkName(newName); err != nil {
		return err
	}
	r := renaming{u: u, from: oldParent, old: oldName, to: newParent, new: newName, flags: flags}
	for {
		err := r.try()
		r.release()
		if err != unix.EAGAIN {
			return err
		}
	}
}

// renaming is one rename under way: first everything that takes time is done
// without locks (copy-up), then the names are looked at again under the write
// lock, and only if they are the same it goes on.
type renaming struct {
	u        *Union
	from, to *Inode
	old, new string
	flags    uint

	src, dst *Inode // with references; dst may be nil
	se, de   *entry // de may be nil or hidden
	st, dt   *table
}

func (r *renaming) release() {
	if r.src != nil {
		r.u.Forget(r.src, 1)
	}
	if r.dst != nil {
		r.u.Forget(r.dst, 1)
	}
	r.src, r.dst = nil, nil
}

func (r *renaming) exchange() bool { return r.flags&unix.RENAME_EXCHANGE != 0 }

func (r *renaming) try() error {
	if err := r.prepare(); err != nil {
		return err
	}
	u := r.u
	u.tree.Lock()
	defer u.tree.Unlock()
	r.lockDirs()
	defer r.unlockDirs()
	if err := r.again(); err != nil {
		return err
	}
	if r.src == r.dst {
		return nil // two names of one file: POSIX rename(2) does nothing
	}
	if err := r.allowed(); err != nil {
		return err
	}
	if r.exchange() {
		return r.swap()
	}
	return r.move()
}

// prepare finds both ends and copies up what the rename needs in upper.
func (r *renaming) prepare() error {
	u := r.u
	var err error
	if r.src, err = u.held(r.from, r.old); err != nil {
		return err
	}
	r.dst, err = u.held(r.to, r.new)
	switch {
	case err != nil && err != unix.ENOENT:
		return err
	case err == nil && r.flags&unix.RENAME_NOREPLACE != 0:
		return unix.EEXIST
	case err != nil && r.exchange():
		return unix.ENOENT
	}
	for _, dir := range [...]*Inode{r.from, r.to} {
		if err := u.copyUp(dir, inUpper, all); err != nil {
			return err
		}
	}
	if err := r.copyUpEnd(r.src); err != nil {
		return err
	}
	if r.dst == nil {
		return nil
	}
	if r.exchange() {
		return r.copyUpEnd(r.dst)
	}
	if r.dst.dir == nil && r.dst.state.Load() == inLower && r.dst.linked && u.keepsIndex() {
		return u.indexOnly(r.dst)
	}
	return nil
}

func (r *renaming) copyUpEnd(n *Inode) error {
	if n.dir != nil {
		return r.u.copyUp(n, inUpper, all)
	}
	return r.u.copyUp(n, inMeta, all)
}

// lockDirs locks the tables of both directories. With the tree locked for
// writing only forgetting still takes them, in the order of ids.
func (r *renaming) lockDirs() {
	a, b := r.from.dir, r.to.dir
	if b.id < a.id {
		a, b = b, a
	}
	a.mu.Lock()
	if b != a {
		b.mu.Lock()
	}
}

func (r *renaming) unlockDirs() {
	r.from.dir.mu.Unlock()
	if r.to != r.from {
		r.to.dir.mu.Unlock()
	}
}

// again looks both names up under the locks.
func (r *renaming) again() (err error) {
	if r.from.dir.removed || r.to.dir.removed {
		return unix.ENOENT
	}
	if r.st, err = r.u.loaded(r.from.dir); err != nil {
		return err
	}
	if r.dt, err = r.u.loaded(r.to.dir); err != nil {
		return err
	}
	r.se, r.de = r.st.get(r.old), r.dt.names.get(r.new)
	if r.se == nil {
		return unix.ENOENT
	}
	var dst *Inode
	if r.de != nil && r.de.visible() {
		dst = r.de.inode
	}
	if r.se.inode != r.src || dst != r.dst || r.de != nil && r.de.visible() && dst == nil {
		return unix.EAGAIN
	}
	if err := r.makeNative(r.from, r.se); err != nil {
		return err
	}
	if err := r.makeNative(r.to, r.de); err != nil {
		return err
	}
	return r.cover()
}

func (r *renaming) makeNative(parent *Inode, e *entry) error {
	if e == nil || e.foreign() == "" {
		return nil
	}
	h, err := r.u.openDir(parent.dir.upper)
	if err != nil {
		return err
	}
	defer h.release()
	return r.u.makeNative(h.fd, e)
}

// cover gives a lower name of an indexed file its link in upper, so that
// there is something to rename.
func (r *renaming) cover() error {
	for _, end := range [...]struct {
		n      *Inode
		e      *entry
		parent *Inode
	}{{r.src, r.se, r.from}, {r.dst, r.de, r.to}} {
		if end.n == nil || end.n.dir != nil || end.e.top == topUpper || end.n == r.dst && !r.exchange() {
			continue
		}
		if !end.n.indexed {
			return unix.EAGAIN
		}
		end.n.mu.Lock()
		err := r.u.coverName(end.n, end.parent, end.e.name)
		end.n.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// allowed checks types, emptiness and ancestry, in the kernel's order
// (vfs_rename, may_delete).
func (r *renaming) allowed() error {
	if r.src.dir != nil && within(r.to, r.src) {
		return unix.EINVAL
	}
	if r.dst == nil {
		return r.redirectable(r.src)
	}
	if within(r.from, r.dst) && r.dst.dir != nil {
		if r.exchange() {
			return unix.EINVAL
		}
		return unix.ENOTEMPTY
	}
	if r.exchange() {
		if err := r.redirectable(r.dst); err != nil {
			return err
		}
		return r.redirectable(r.src)
	}
	switch {
	case r.src.dir != nil && r.dst.dir == nil:
		return unix.ENOTDIR
	case r.src.dir == nil && r.dst.dir != nil:
		return unix.EISDIR
	case r.dst.dir != nil:
		r.dst.dir.mu.Lock()
		err := r.u.checkEmpty(r.dst.dir)
		r.dst.dir.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return r.redirectable(r.src)
}

// redirectable answers EXDEV for a directory whose lower part can't follow.
func (r *renaming) redirectable(n *Inode) error {
	if n.dir == nil || len(n.dir.lowers) == 0 {
		return nil
	}
	if r.u.cfg.RedirectDir != RedirectOn || !r.u.caps.Xattrs || len(n.dir.lpath.String()) > redirectMax {
		return unix.EXDEV
	}
	return nil
}

// within tells whether n is dir or below it.
func within(n, dir *Inode) bool {
	for ; n != nil; n = n.parent {
		if n == dir {
			return true
		}
	}
	return false
}

// anchor makes a directory keep its lower part, or its lack of one, under
// another name: by a redirect, or by the opaque mark. Both say what is true at
// the old name too, so a crash before the rename does no harm.
func (r *renaming) anchor(n *Inode, target *entry) error {
	if n.dir == nil {
		return nil
	}
	h, err := r.u.openDir(n.dir.upper)
	if err != nil {
		return err
	}
	defer h.release()
	if len(n.dir.lowers) > 0 {
		return r.u.mark(h.fd, "", whiteout.Redirect, n.dir.lpath.String())
	}
	if target == nil || !target.hasLower && target.top < 0 && !target.whiteout {
		return nil
	}
	return r.u.codec.MakeOpaque(h.fd)
}
