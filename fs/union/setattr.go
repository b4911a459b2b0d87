package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Change is what setattr changes; fields count only with their bit in Valid.
type Change struct {
	Valid        ChangeMask
	Mode         uint32 // permission bits
	UID, GID     uint32 // of the mount
	Size         int64
	Atime, Mtime unix.Timespec // UTIME_NOW in Nsec means now
}

// ChangeMask says which fields of a Change count.
type ChangeMask uint32

// Bits of a ChangeMask.
const (
	SetMode ChangeMask = 1 << iota
	SetUID
	SetGID
	SetSize
	SetAtime
	SetMtime
	// KillSuid drops suid and sgid as a write by somebody without
	// CAP_FSETID does.
	KillSuid
)

// SetAttr applies the change and fills attr with the result.
func (u *Union) SetAttr(n *Inode, c *Change, attr *Attr) error {
	if u.upper == nil {
		return unix.EROFS
	}
	if c.Valid&SetSize != 0 && !n.isRegular() {
		if n.dir != nil {
			return unix.EISDIR
		}
		return unix.EINVAL
	}
	if done, err := u.setRemoved(n, c, attr); done {
		return err
	}
	if done, err := u.setGhost(n, c, attr); done || err != nil {
		return err
	}
	want, limit := inMeta, all
	if c.Valid&SetSize != 0 {
		want, limit = inUpper, c.Size
	}
	if err := u.copyUp(n, want, limit); err != nil {
		return err
	}
	if c.Valid&SetSize != 0 {
		if err := u.truncate(n, c.Size); err != nil {
			return err
		}
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.Lock()
	if c.Valid&(SetMtime|SetSize) != 0 {
		u.mtimeKnown(n)
	}
	err := u.withMetaLocked(n, func(p place) error { return u.apply(n, p, c) })
	n.mu.Unlock()
	if err != nil {
		return err
	}
	u.forgetInheritance(n)
	return u.attrOf(n, attr)
}

func (u *Union) forgetInheritance(n *Inode) {
	if n.dir != nil {
		n.dir.mu.Lock()
		n.dir.inherit = nil
		n.dir.mu.Unlock()
	}
}

// setRemoved changes a directory that has no place any more but is still
// open somewhere.
func (u *Union) setRemoved(n *Inode, c *Change, attr *Attr) (bool, error) {
	if n.dir == nil {
		return false, nil
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.dir.removed {
		return false, nil
	}
	last := &n.dir.last
	amend(last, c)
	*attr = *last
	return true, nil
}

// truncate sets the size of a file in upper.
func (u *Union) truncate(n *Inode, size int64) error {
	h, err := u.fileForWrite(n)
	if err != nil {
		return err
	}
	defer h.release()
	return u.spend(h.fd, "", 0, func() error { return hostfs.Ftruncate(h.fd, size) })
}

// apply changes owner, mode and times: in that order, because a change of
// owner clears mode bits and all of them touch ctime alone.
func (u *Union) apply(n *Inode, p place, c *Change) error {
	if c.Valid&(SetMode|SetUID|SetGID|KillSuid) != 0 {
		var err error
		if u.ids.overrides {
			err = u.applyOverride(n, p, c)
		} else {
			err = u.applyHost(n, p, c)
		}
		if err != nil {
			return err
		}
	}
	if c.Valid&(SetAtime|SetMtime) == 0 {
		return nil
	}
	atime, mtime := c.Atime, c.Mtime
	if c.Valid&SetAtime == 0 {
		atime.Nsec = unix.UTIME_OMIT
	}
	if c.Valid&SetMtime == 0 {
		mtime.Nsec = unix.UTIME_OMIT
	}
	return hostfs.Utimes(p.h.fd, p.name, atime, mtime)
}

func (c *Change) owner() (uid, gid uint32) {
	uid, gid = keepID, keepID
	if c.Valid&SetUID != 0 {
		uid = c.UID
	}
	if c.Valid&SetGID != 0 {
		gid = c.GID
	}
	return uid, gid
}

func (u *Union) applyHost(n *Inode, p place, c *Change) error {
	if c.Valid&(SetUID|SetGID) != 0 {
		uid, gid, err := u.ids.host(c.owner())
		if err != nil {
			return err
		}
		if err := u.ids.chown(p.h.fd, p.name, uid, gid); err != nil {
			return err
		}
	}
	mode := c.Mode
	switch {
	case c.Valid&SetMode != 0:
	case c.Valid&KillSuid != 0 && n.dir == nil:
		var st unix.Statx_t
		if err := hostfs.Statx(p.h.fd, p.name, &st); err != nil {
			return err
		}
		mode = withoutSuid(uint32(st.Mode))
		if mode == uint32(st.Mode)&0o7777 {
			return nil
		}
	default:
		return nil
	}
	if n.typ == unix.S_IFLNK {
		return unix.EOPNOTSUPP
	}
	return hostfs.Chmod(p.h.fd, p.name, mode&0o7777)
}

// withoutSuid is what a write leaves of the mode: sgid without group execute
// means mandatory locking and stays (setattr_should_drop_sgid).
func withoutSuid(mode uint32) uint32 {
	mode &= 0o7777 &^ unix.S_ISUID
	if mode&unix.S_IXGRP != 0 {
		mode &^= unix.S_ISGID
	}
	return mode
}

func (u *Union) applyOverride(n *Inode, p place, c *Change) error {
	var shown Attr
	if err := u.ownStat(p, &shown); err != nil {
		return err
	}
	kill := c.Valid&KillSuid != 0
	if c.Valid&SetUID != 0 {
		shown.Uid, kill = c.UID, true
	}
	if c.Valid&SetGID != 0 {
		shown.Gid, kill = c.GID, true
	}
	perm := uint32(shown.Mode) & 0o7777
	if kill && n.dir == nil { // every chown(2) of a non-directory asks for it (chown_common)
		perm = withoutSuid(perm)
	}
	if c.Valid&SetMode != 0 {
		perm = c.Mode & 0o7777
	}
	shown.Mode = shown.Mode&unix.S_IFMT | uint16(perm)
	if err := u.ids.setOverride(p.h.fd, p.name, &shown); err != nil || c.Valid&SetMode == 0 {
		return err
	}
	return u.chmodACL(p, perm)
}

// killSuid drops suid and sgid after a write; changed tells whether it did.
func (u *Union) killSuid(n *Inode) (changed bool, err error) {
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	err = u.withMetaLocked(n, func(p place) error {
		var before, after Attr
		if err := u.statPlace(p, &before); err != nil {
			return err
		}
		if withoutSuid(uint32(before.Mode)) == uint32(before.Mode)&0o7777 {
			return nil
		}
		if err := u.apply(n, p, &Change{Valid: KillSuid}); err != nil {
			return err
		}
		err := u.statPlace(p, &after)
		changed = after.Mode != before.Mode
		return err
	})
	return changed, err
}
