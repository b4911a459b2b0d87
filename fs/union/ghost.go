package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// A lower file that has lost its last name is still there for whoever has it
// open. Changing its metadata is nobody's business but theirs, so the change
// stays in memory: a ghost. The kernel makes one with every unlink, when it
// writes back the new ctime.

// setGhost applies a change to a lower file without a name; done is false for
// any other inode, and for a change of size, which takes a copy.
func (u *Union) setGhost(n *Inode, c *Change, attr *Attr) (done bool, err error) {
	if n.dir != nil || n.state.Load() != inLower || c.Valid&SetSize != 0 {
		return false, nil
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.parent != nil || n.state.Load() != inLower {
		return false, nil
	}
	if n.seldom().ghost == nil {
		g, err := u.ghostOf(n)
		if err != nil {
			return false, err
		}
		n.own().ghost = g
	}
	amend(n.seldom().ghost, c)
	*attr = *n.seldom().ghost
	return true, nil
}

// ghostOf is what stat says of a lower file that has no name. The caller holds
// n.mu.
func (u *Union) ghostOf(n *Inode) (*Attr, error) {
	p, err := u.lookLower(n.lower)
	if err != nil {
		return nil, err
	}
	defer p.release()
	g := new(Attr)
	if err := u.statPlace(p, g); err != nil {
		return nil, err
	}
	g.Ino, g.Nlink = n.ino, 0
	return g, nil
}

// amend applies a change to attributes in memory.
func amend(a *Attr, c *Change) {
	mode := uint32(a.Mode) & 0o7777
	if c.Valid&SetUID != 0 {
		a.Uid = c.UID
	}
	if c.Valid&SetGID != 0 {
		a.Gid = c.GID
	}
	if c.Valid&(SetUID|SetGID|KillSuid) != 0 && a.Mode&unix.S_IFMT == unix.S_IFREG {
		mode = withoutSuid(mode)
	}
	if c.Valid&SetMode != 0 {
		mode = c.Mode & 0o7777
	}
	a.Mode = a.Mode&unix.S_IFMT | uint16(mode)
	if c.Valid&SetAtime != 0 {
		a.Atime = stampOf(c.Atime)
	}
	if c.Valid&SetMtime != 0 {
		a.Mtime = stampOf(c.Mtime)
	}
}

func stampOf(t unix.Timespec) unix.StatxTimestamp {
	if t.Nsec == unix.UTIME_NOW {
		var now unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now) // can't fail
		t = now
	}
	return unix.StatxTimestamp{Sec: t.Sec, Nsec: uint32(t.Nsec)}
}

// embody gives a ghost's changes to its copy in work. The caller holds n.mu.
func (u *Union) embody(n *Inode) error {
	g := n.seldom().ghost
	if g == nil {
		return nil
	}
	n.own().ghost = nil
	return u.withMetaLocked(n, func(p place) error {
		return u.apply(n, p, &Change{
			Valid: SetMode | SetUID | SetGID | SetAtime | SetMtime,
			Mode:  uint32(g.Mode) & 0o7777, UID: g.Uid, GID: g.Gid,
			Atime: hostfs.Timespec(g.Atime), Mtime: hostfs.Timespec(g.Mtime),
		})
	})
}
