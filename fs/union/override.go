package union

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// Where the host can't store what the mount shows, for lack of privilege, an
// xattr of the user namespace does: user.containers.override_stat for owner,
// mode and type, and user.containers.override_NAME for each attribute NAME
// that takes privilege to set (fuse-overlayfs: xattr_permissions).

const overridePrefix = "user.containers.override_"

// isolates tells whether the attribute is kept under another name.
func (m *ids) isolates(name string) bool {
	return m.overrides && (strings.HasPrefix(name, "security.") || isACL(name))
}

// isolated answers the attribute's name on disk; keeps the inverse for lists:
// shown is false for the override of the stat data itself.
func isolated(name string) string { return overridePrefix + name }

func (m *ids) unisolated(disk string) (name string, shown bool) {
	name = strings.TrimPrefix(disk, overridePrefix)
	return name, m.isolates(name)
}

// getIsolated reads an isolated attribute; a lower layer made with privilege
// may have the real one.
func (u *Union) getIsolated(p place, name string, buf []byte) (int, error) {
	n, err := hostfs.Getxattr(p.h.fd, p.name, isolated(name), buf)
	if err != unix.ENODATA && err != unix.EPERM && err != unix.EOPNOTSUPP {
		return n, err
	}
	n, err = hostfs.Getxattr(p.h.fd, p.name, whiteout.Escape(name), buf)
	if err == unix.EPERM || err == unix.EOPNOTSUPP {
		err = unix.ENODATA
	}
	return n, err
}

// overriddenTwice tells whether a listed attribute is hidden by its override.
func (m *ids) overriddenTwice(disk string, all []string) bool {
	return m.isolates(disk) && slices.Contains(all, isolated(disk))
}

// setACL keeps an access ACL, and the mode that it implies, in overrides. One
// that says no more than a mode is kept as that.
func (u *Union) setACL(p place, value []byte, flags int, killSgid bool) error {
	mode, extended, ok := aclMode(value)
	if !ok {
		return unix.EINVAL
	}
	var shown Attr
	if err := u.ownStat(p, &shown); err != nil {
		return err
	}
	perm := uint32(shown.Mode)&0o7000 | mode
	if killSgid {
		perm &^= unix.S_ISGID
	}
	shown.Mode = shown.Mode&unix.S_IFMT | uint16(perm)
	if err := u.ids.setOverride(p.h.fd, p.name, &shown); err != nil {
		return err
	}
	if extended {
		return hostfs.Setxattr(p.h.fd, p.name, isolated(xattrACLAccess), value, flags)
	}
	err := hostfs.Removexattr(p.h.fd, p.name, isolated(xattrACLAccess))
	if err == unix.ENODATA {
		return nil
	}
	return err
}

// chmodACL brings a kept access ACL in line with a new mode.
func (u *Union) chmodACL(p place, mode uint32) error {
	acl, err := hostfs.GetxattrAll(p.h.fd, p.name, isolated(xattrACLAccess))
	if err == unix.ENODATA || err == unix.EPERM || err == unix.EOPNOTSUPP {
		return nil
	}
	if err != nil {
		return err
	}
	if !aclChmod(acl, mode) {
		return unix.EIO
	}
	return hostfs.Setxattr(p.h.fd, p.name, isolated(xattrACLAccess), acl, 0)
}

func readOverride(dirfd int, name string, st *Attr) (whiteout.Override, bool, error) {
	if t := st.Mode & unix.S_IFMT; t != unix.S_IFREG && t != unix.S_IFDIR {
		return whiteout.Override{}, false, nil // can't carry user xattrs
	}
	var buf [128]byte
	for _, attr := range whiteout.OverrideXattrs {
		n, err := hostfs.Getxattr(dirfd, name, attr, buf[:])
		if err == unix.ENODATA || err == unix.EOPNOTSUPP || err == unix.EPERM {
			continue
		}
		if err != nil {
			return whiteout.Override{}, false, err
		}
		if o, err := whiteout.ParseOverride(buf[:n]); err == nil {
			return o, true, nil
		}
	}
	return whiteout.Override{}, false, nil
}

func applyOverride(st *Attr, o whiteout.Override) {
	st.Uid, st.Gid = o.UID, o.GID
	t := uint32(st.Mode) & unix.S_IFMT
	if o.Type != 0 {
		t = o.Type
		st.Rdev_major, st.Rdev_minor = o.Major, o.Minor
	}
	st.Mode = uint16(t | o.Mode&0o7777)
}

// setOverride writes owner, mode and type as shown. The host's mode keeps the
// access that this process needs.
func (m *ids) setOverride(dirfd int, name string, shown *Attr) error {
	var host unix.Statx_t
	if err := hostfs.Statx(dirfd, name, &host); err != nil {
		return err
	}
	t := uint32(shown.Mode) & unix.S_IFMT
	hostType := uint32(host.Mode) & unix.S_IFMT
	if hostType != unix.S_IFREG && hostType != unix.S_IFDIR {
		return nil // a real symlink, made because its owner is ours
	}
	o := whiteout.Override{UID: shown.Uid, GID: shown.Gid, Mode: uint32(shown.Mode) & 0o7777}
	if t != hostType {
		o.Type, o.Major, o.Minor = t, shown.Rdev_major, shown.Rdev_minor
	}
	if err := hostfs.Setxattr(dirfd, name, whiteout.OverrideXattr, o.Append(nil), 0); err != nil {
		return err
	}
	access := uint32(0o600)
	if hostType == unix.S_IFDIR {
		access = 0o700
	}
	return hostfs.Chmod(dirfd, name, o.Mode&0o777|access)
}
