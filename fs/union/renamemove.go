package union

import (
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// move renames src to a name that is free, hidden or dst's.
func (r *renaming) move() error {
	u := r.u
	if err := r.anchor(r.src, r.de); err != nil {
		return err
	}
	from, err := u.openDir(r.from.dir.upper)
	if err != nil {
		return err
	}
	defer from.release()
	to, err := u.openDir(r.to.dir.upper)
	if err != nil {
		return err
	}
	defer to.release()
	if err := r.plain(from.fd, r.src, r.old, r.new); err != nil {
		return err
	}
	v, err := r.clear(to.fd)
	if err != nil {
		return err
	}
	if err := r.shift(from.fd, to.fd); err != nil {
		if v.orphan != "" && !v.empties {
			u.removeStaged(v.orphan)
		}
		return err
	}
	r.settleVictim(v)
	r.settle()
	return nil
}

// plain says of a regular file that gets a name like an aufs whiteout's that
// the name is its own.
func (r *renaming) plain(dirfd int, n *Inode, at, name string) error {
	if !n.isRegular() || !strings.HasPrefix(name, whiteout.AufsPrefix) {
		return nil
	}
	return r.u.mark(dirfd, at, whiteout.PlainName, "y")
}

// victimState is what clear did for the object that is about to be replaced.
type victimState struct {
	orphan  string // its place in work
	empties bool   // it was a directory, now empty in upper
	last    Attr
}

// clear makes the target's upper object replaceable in one rename without
// losing a file somebody has open: such a file gets a second name in work. A
// directory that still holds whiteouts is exchanged for an empty one first
// (ovl_clear_empty).
func (r *renaming) clear(to int) (v victimState, err error) {
	u := r.u
	if r.dst == nil {
		return v, nil
	}
	if r.dst.dir != nil {
		if v.last, err = u.lastAttr(r.dst); err != nil {
			return v, err
		}
		v.empties = true
		if r.de.top == topUpper && r.de.holdsWhiteouts(r.dst.dir) {
			return v, r.emptyDir(to)
		}
		return v, nil
	}
	if r.de.top != topUpper || r.dst.indexed || len(r.dst.seldom().others) > 0 {
		return v, nil
	}
	v.orphan = u.work.name()
	return v, hostfs.Link(to, r.new, u.work.stage.fd, v.orphan)
}

// holdsWhiteouts tells whether upper's directory may have names that don't
// show.
func (e *entry) holdsWhiteouts(d *dir) bool {
	return d.table == nil || d.table.names.len() > 0 || len(d.lowers) > 0
}

// emptyDir replaces the target directory by an empty opaque one.
func (r *renaming) emptyDir(to int) error {
	u := r.u
	tmp := u.work.name()
	stage := u.work.stage.fd
	if err := u.mkdir(stage, tmp, 0o700); err != nil {
		return err
	}
	err := u.makeOpaque(stage, tmp)
	if err == nil {
		err = hostfs.Rename(stage, tmp, to, r.new, unix.RENAME_EXCHANGE)
	}
	if err == unix.EINVAL {
		err = hostfs.Rename(to, r.new, stage, tmp+"x", 0)
		u.removeStaged(tmp + "x")
	}
	u.removeStaged(tmp)
	u.dirs.drop(&r.dst.dir.upper.slot)
	return err
}

// shift is the rename in upper.
func (r *renaming) shift(from, to int) error {
	u := r.u
	leave := r.se.hasLower
	isDir := r.src.dir != nil
	blocked := isDir && r.de != nil && r.de.whiteout && !u.sidecar(r.new)
	switch {
	case u.sidecar(r.old):
		return r.shiftBeside(from, to, leave)
	case blocked:
		return r.shiftOverWhiteout(from, to, leave)
	case !leave:
		return hostfs.Rename(from, r.old, to, r.new, 0)
	case u.whiteoutRenames():
		return hostfs.Rename(from, r.old, to, r.new, unix.RENAME_WHITEOUT)
	}
	return r.shiftLeavingWhiteout(from, to)
}

// shiftBeside renames where whiteouts stand beside the names: the old name's
// comes first, and hides nothing of upper; the new name's goes last.
func (r *renaming) shiftBeside(from, to int, leave bool) error {
	if leave && !r.se.whiteout {
		if err := r.u.codec.Make(from, r.old); err != nil && err != unix.EEXIST {
			return err
		}
	}
	return hostfs.Rename(from, r.old, to, r.new, 0)
}

// shiftOverWhiteout moves a directory to a name that holds a whiteout: both
// change places, which leaves the whiteout that the old name may need.
func (r *renaming) shiftOverWhiteout(from, to int, leave bool) error {
	if err := whiteout.Announce(r.u.codec, from); leave && err != nil {
		return err
	}
	err := hostfs.Rename(from, r.old, to, r.new, unix.RENAME_EXCHANGE)
	if err == unix.EINVAL {
		if err = hostfs.Unlink(to, r.new); err == nil {
			err = hostfs.Rename(from, r.old, to, r.new, 0)
		}
		if err == nil && leave {
			err = r.u.placeWhiteout(from, r.old)
		}
		return err
	}
	if err == nil && !leave {
		err = hostfs.Unlink(from, r.old)
	}
	return err
}

// shiftLeavingWhiteout renames where the file system leaves no whiteout of
// upper's form by itself: first the object, then the whiteout. A crash between
// shows the lower object at the old name again and loses nothing; the other
// order would lose the object.
func (r *renaming) shiftLeavingWhiteout(from, to int) error {
	if err := whiteout.Announce(r.u.codec, from); err != nil {
		return err
	}
	tmp := r.u.work.name()
	stage := r.u.work.stage.fd
	if err := r.u.codec.Make(stage, tmp); err != nil {
		return err
	}
	if err := hostfs.Rename(from, r.old, to, r.new, 0); err != nil {
		r.u.removeStaged(tmp)
		return err
	}
	return hostfs.Rename(stage, tmp, from, r.old, 0)
}

// settleVictim gives the replaced inode its life without the name.
func (r *renaming) settleVictim(v victimState) {
	u := r.u
	if r.dst == nil {
		return
	}
	if v.empties {
		r.dst.dir.mu.Lock()
		u.bury(r.dst, v.last)
		r.dst.dir.mu.Unlock()
		return
	}
	r.dst.mu.Lock()
	defer r.dst.mu.Unlock()
	r.dst.dropLink(r.to, r.new)
	if r.de.top != topUpper {
		_ = u.lostLowerName(r.dst)
		return
	}
	if v.orphan != "" {
		u.orphan(r.dst, v.orphan)
	} else if r.dst.indexed {
		_ = u.dropIndex(r.dst)
	}
}

// settle brings tables and inode in line with what upper now has.
func (r *renaming) settle() {
	u := r.u
	if r.de != nil && r.de.visible() {
		if r.de.top >= 0 {
			r.de.cover()
		}
		r.dt.vacate(r.de)
	}
	if hidden := r.dt.names.get(r.new); hidden != nil && u.sidecar(r.new) && hidden.whiteout {
		// Beside a file the whiteout is of no use any more; beside a
		// directory it must go, since its redirect or opaque mark says more.
		if h, err := u.openDir(r.to.dir.upper); err == nil {
			if hostfs.Unlink(h.fd, u.codec.MarkName(r.new)) == nil {
				hidden.whiteout = false
			}
			h.release()
		}
	}
	moved := *r.se
	r.st.hide(r.se, r.se.hasLower)
	e := u.enter(r.dt, r.new, moved.dtype)
	e.inode, e.ino = moved.inode, moved.ino
	r.src.mu.Lock()
	r.src.dropLink(r.from, r.old)
	r.src.addLink(r.to, r.new)
	if r.src.dir != nil {
		r.src.dir.upper.parent, r.src.dir.upper.name = r.to.dir.upper, r.new
	}
	r.src.mu.Unlock()
	r.src.unsynced.Store(true)
}

// swap exchanges two names (RENAME_EXCHANGE).
func (r *renaming) swap() error {
	u := r.u
	if err := r.anchor(r.src, r.de); err != nil {
		return err
	}
	if err := r.anchor(r.dst, r.se); err != nil {
		return err
	}
	from, err := u.openDir(r.from.dir.upper)
	if err != nil {
		return err
	}
	defer from.release()
	to, err := u.openDir(r.to.dir.upper)
	if err != nil {
		return err
	}
	defer to.release()
	if err := r.plain(from.fd, r.src, r.old, r.new); err != nil {
		return err
	}
	if err := r.plain(to.fd, r.dst, r.new, r.old); err != nil {
		return err
	}
	if err := hostfs.Rename(from.fd, r.old, to.fd, r.new, unix.RENAME_EXCHANGE); err != nil {
		return err
	}
	r.settleSwap()
	return nil
}

func (r *renaming) settleSwap() {
	for _, end := range [...]struct {
		n        *Inode
		parent   *Inode
		name     string
		newUpper *dirRef
		to       *Inode
		newName  string
	}{{r.src, r.from, r.old, r.to.dir.upper, r.to, r.new}, {r.dst, r.to, r.new, r.from.dir.upper, r.from, r.old}} {
		end.n.mu.Lock()
		end.n.dropLink(end.parent, end.name)
		end.n.addLink(end.to, end.newName)
		if end.n.dir != nil {
			end.n.dir.upper.parent, end.n.dir.upper.name = end.newUpper, end.newName
		}
		end.n.mu.Unlock()
		end.n.unsynced.Store(true)
	}
	r.se.inode, r.de.inode = r.de.inode, r.se.inode
	r.se.ino, r.de.ino = r.de.ino, r.se.ino
	if r.se.dtype == dtDir {
		r.st.subdirs--
		r.dt.subdirs++
	}
	if r.de.dtype == dtDir {
		r.dt.subdirs--
		r.st.subdirs++
	}
	r.se.dtype, r.de.dtype = r.de.dtype, r.se.dtype
}
