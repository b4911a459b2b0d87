package layertar

import (
	"archive/tar"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// xattr is an extended attribute as the union's users see it.
type xattr struct{ name, value string }

const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"

	// PAX records of star, which GNU tar, bsdtar and Go write too.
	paxXattr      = "SCHILY.xattr."
	paxACLAccess  = "SCHILY.acl.access"
	paxACLDefault = "SCHILY.acl.default"
	// bsdtar's own: the name is URL-encoded, the value base64.
	paxLibarchive = "LIBARCHIVE.xattr."

	// overridePrefix begins the names under which attributes that take
	// privilege are kept without (fs/union, override.go).
	overridePrefix = "user.containers.override_"
)

// readXattrs collects what a header says of attributes, sorted by name.
func readXattrs(h *tar.Header, w *warner) []xattr {
	var list []xattr
	for k, v := range h.PAXRecords {
		x := xattr{value: v}
		switch {
		case strings.HasPrefix(k, paxXattr):
			x.name = k[len(paxXattr):]
		case strings.HasPrefix(k, paxLibarchive):
			x = libarchiveXattr(k, v)
			if _, twice := h.PAXRecords[paxXattr+x.name]; twice {
				continue
			}
		case k == paxACLAccess || k == paxACLDefault:
			x = aclXattr(h, k, v, w)
		}
		if x.name != "" && strings.IndexByte(x.name, 0) < 0 {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b xattr) int { return strings.Compare(a.name, b.name) })
	return list
}

func libarchiveXattr(k, v string) xattr {
	name, err := url.PathUnescape(k[len(paxLibarchive):])
	value, verr := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "="))
	if err != nil || verr != nil {
		return xattr{}
	}
	return xattr{name, string(value)}
}

// aclXattr turns an ACL in words into the attribute, unless that is there too.
func aclXattr(h *tar.Header, k, v string, w *warner) xattr {
	name := aclAccess
	if k == paxACLDefault {
		name = aclDefault
	}
	if _, twice := h.PAXRecords[paxXattr+name]; twice || v == "" {
		return xattr{}
	}
	value, err := parseACL(v)
	if err != nil {
		w.warn("%s: its ACL %q is left out: %v", h.Name, v, err)
		return xattr{}
	}
	return xattr{name, string(value)}
}

// setXattrs sets the attributes and tells whether an access ACL was among
// them, which changes the mode. What the host can't hold or this process may
// not set in its user namespace is left out, as in podman.
func (d *disk) setXattrs(dirfd int, name string, list []xattr) (acl bool, err error) {
	for _, x := range list {
		disk := d.diskName(x.name)
		if disk == "" {
			d.warner.once("name "+x.name, "extended attributes %s are left out: the store keeps its own values under this name", x.name)
			continue
		}
		err := hostfs.Setxattr(dirfd, name, disk, []byte(x.value), 0)
		switch {
		case err == nil:
			acl = acl || disk == aclAccess
		case d.mayLeaveOut(err):
			d.warner.once("attr "+x.name, "extended attributes %s are left out where they can't be set: %v", x.name, err)
		case err == unix.EINVAL && d.inUserNS && (disk == aclAccess || disk == aclDefault):
			return acl, fmt.Errorf("its ACL (%s) is not valid, or names an id without a mapping in this user namespace: give the user a larger range in /etc/subuid and /etc/subgid, or use a store of one id: %w", x.name, err)
		default:
			return acl, &xattrError{x.name, err}
		}
	}
	return acl, nil
}

func (d *disk) mayLeaveOut(err error) bool {
	switch err {
	case unix.EOPNOTSUPP:
		return true
	case unix.EPERM:
		return d.inUserNS || d.ids == SingleID || d.uid != 0
	}
	return false
}

// xattrError says which attribute couldn't be set.
type xattrError struct {
	name string
	err  error
}

func (e *xattrError) Error() string {
	return "setting its extended attribute " + e.name + ": " + e.err.Error()
}
func (e *xattrError) Unwrap() error { return e.err }

// diskName is where an attribute stands on disk, "" when it can't. Names that
// would be marks of the union are escaped.
func (d *disk) diskName(name string) string {
	if d.ids == SingleID {
		switch {
		case whiteout.IsOverride(name):
			return ""
		case isolated(name):
			return overridePrefix + name
		}
	}
	return whiteout.Escape(name)
}

// isolated tells of the attributes that take privilege to set, which a tree of
// one id keeps under another name.
func isolated(name string) bool {
	return strings.HasPrefix(name, "security.") || name == aclAccess || name == aclDefault
}
