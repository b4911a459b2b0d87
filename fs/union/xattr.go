package union

import (
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

const (
	xattrACLAccess  = "system.posix_acl_access"
	xattrACLDefault = "system.posix_acl_default"
)

// diskName is the name under which the layers keep an attribute of the mount:
// names that the layers use for themselves are escaped.
func (u *Union) diskName(name string) (string, error) {
	if u.cfg.NoXattrs {
		return "", unix.EOPNOTSUPP
	}
	if u.cfg.NoACL && strings.HasPrefix(name, "system.posix_acl_") {
		return "", unix.EOPNOTSUPP
	}
	if u.ids.overrides && whiteout.IsOverride(name) {
		return "", unix.EPERM
	}
	if u.ids.isolates(name) {
		return isolated(name), nil
	}
	return whiteout.Escape(name), nil
}

// GetXattr fills buf with the value and answers its size; with an empty buf
// only the size.
func (u *Union) GetXattr(n *Inode, name string, buf []byte) (size int, err error) {
	disk, err := u.diskName(name)
	if err != nil {
		if err == unix.EPERM {
			err = unix.ENODATA
		}
		return 0, err
	}
	bit := absenceOf(name)
	if n.lacks.knows(bit) {
		return 0, unix.ENODATA
	}
	err = u.withXattrs(n, func(p place) error {
		if p.known {
			size, err = u.getKnown(p.entry, name, disk, buf)
		} else if u.ids.isolates(name) {
			size, err = u.getIsolated(p, name, buf)
		} else {
			size, err = hostfs.Getxattr(p.h.fd, p.name, disk, buf)
		}
		if err == unix.ENODATA && !u.live {
			n.lacks.note(bit)
		}
		return err
	})
	if err == nil && len(buf) > 0 && u.ids.mapped() && isACL(name) {
		mapACL(buf[:size], u.ids.showUID, u.ids.showGID)
	}
	return size, err
}

// withXattrs calls do with the place to read attributes from. A removed
// directory that is still open somewhere has none any more; it must say so, for
// the kernel asks for its ACL before it lets anybody look at it.
func (u *Union) withXattrs(n *Inode, do func(p place) error) error {
	err := u.withLook(n, do)
	if err == unix.ENOENT && n.dir != nil {
		return unix.ENODATA
	}
	return err
}

func isACL(name string) bool { return name == xattrACLAccess || name == xattrACLDefault }

// ListXattr fills buf with the names, each ended by a zero byte, and answers
// the size; with an empty buf only the size. Trusted names are for those alone
// who may read their values (xattr(7)).
func (u *Union) ListXattr(n *Inode, buf []byte, trusted bool) (int, error) {
	if u.cfg.NoXattrs {
		return 0, unix.EOPNOTSUPP
	}
	var names []string
	err := u.withXattrs(n, func(p place) (err error) {
		if p.known {
			names = listKnown(p.entry)
			return nil
		}
		names, err = hostfs.ListxattrAll(p.h.fd, p.name)
		return err
	})
	if err != nil && err != unix.ENODATA {
		return 0, err
	}
	size := 0
	for _, disk := range names {
		name, ok := u.shownName(disk)
		if !ok || u.ids.overriddenTwice(disk, names) || !trusted && strings.HasPrefix(name, "trusted.") {
			continue
		}
		if end := size + len(name) + 1; len(buf) > 0 {
			if end > len(buf) {
				return 0, unix.ERANGE
			}
			copy(buf[size:], name)
			buf[end-1] = 0
		}
		size += len(name) + 1
	}
	return size, nil
}

func (u *Union) shownName(disk string) (string, bool) {
	if u.ids.overrides && whiteout.IsOverride(disk) {
		return u.ids.unisolated(disk)
	}
	if u.cfg.NoACL && isACL(disk) {
		return "", false
	}
	return whiteout.Unescape(disk)
}

// SetXattr is setxattr(2). With killSgid an access ACL also drops sgid
// (FUSE_SETXATTR_ACL_KILL_SGID).
func (u *Union) SetXattr(n *Inode, name string, value []byte, flags int, killSgid bool) error {
	disk, err := u.diskName(name)
	if err != nil {
		return err
	}
	if isACL(name) && u.ids.mapped() {
		value = append([]byte(nil), value...)
		if !mapACL(value, u.ids.hostUID, u.ids.hostGID) {
			return unix.EINVAL
		}
	}
	if name == xattrCapability && u.ids.mapped() {
		var ok bool
		if value, ok = u.ids.hostCapability(value); !ok {
			return unix.EINVAL
		}
	}
	if err := u.copyUp(n, inMeta, all); err != nil {
		return err
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.Lock()
	n.lacks.clear(absenceOf(name))
	err = u.withMetaLocked(n, func(p place) error {
		if name == xattrACLAccess && u.ids.overrides {
			return u.setACL(p, value, flags, killSgid)
		}
		err := u.spend(p.h.fd, p.name, int64(len(value)), func() error {
			return hostfs.Setxattr(p.h.fd, p.name, disk, value, flags)
		})
		if err != nil {
			return err
		}
		if !killSgid {
			return nil
		}
		var st unix.Statx_t
		if err := hostfs.Statx(p.h.fd, p.name, &st); err != nil || st.Mode&unix.S_ISGID == 0 {
			return err
		}
		return hostfs.Chmod(p.h.fd, p.name, uint32(st.Mode)&0o7777&^unix.S_ISGID)
	})
	n.mu.Unlock()
	if err == nil {
		u.forgetInheritance(n)
	}
	return err
}

// RemoveXattr is removexattr(2). An ACL that isn't there is as good as removed
// (vfs_remove_acl).
func (u *Union) RemoveXattr(n *Inode, name string) error {
	err := u.removeXattr(n, name)
	if err == unix.ENODATA && isACL(name) {
		return nil
	}
	return err
}

// removeXattr copies no lower object up to say that it lacks the attribute.
func (u *Union) removeXattr(n *Inode, name string) error {
	disk, err := u.diskName(name)
	if err != nil {
		return err
	}
	if n.state.Load() == inLower {
		if _, err := u.GetXattr(n, name, nil); err != nil {
			return err
		}
	}
	if err := u.copyUp(n, inMeta, all); err != nil {
		return err
	}
	err = u.withMeta(n, func(p place) error {
		return u.spend(p.h.fd, p.name, 0, func() error { return hostfs.Removexattr(p.h.fd, p.name, disk) })
	})
	if err == nil {
		u.forgetInheritance(n)
	}
	return err
}
