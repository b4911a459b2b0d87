package whiteout

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// setOpaque marks by xattr; by the aufs file where xattrs don't work but
// devices do, as on a tmpfs before 6.6 for an ordinary user.
func setOpaque(dirfd int, ns Namespace) error {
	if err := keepXWhiteouts(dirfd, ns); err != nil {
		return err
	}
	err := hostfs.Setxattr(dirfd, "", ns.Name(Opaque), []byte("y"), 0)
	if err == unix.EOPNOTSUPP || err == unix.EPERM {
		return makeAufsOpaque(dirfd)
	}
	return err
}

// keepXWhiteouts remembers the "x" that "y" is going to replace.
func keepXWhiteouts(dirfd int, ns Namespace) error {
	m, err := ReadDirMarks(dirfd, "")
	if err != nil || !m.XWhiteouts {
		return err
	}
	return hostfs.Setxattr(dirfd, "", ns.Name(XWhiteouts), []byte("y"), 0)
}

// clearOpaque takes every form of the mark away. Where xattr whiteouts are in
// the directory, "x" comes back.
func clearOpaque(dirfd int) error {
	found, err := scan(dirfd, "")
	if err != nil {
		return err
	}
	for ns := range namespaces {
		if err := clearOpaqueIn(dirfd, ns, found); err != nil {
			return err
		}
	}
	if found.has(sawFuseOpaque) {
		if err := remove(dirfd, fuseOpaque); err != nil {
			return err
		}
	}
	return clearAufsOpaque(dirfd)
}

func clearOpaqueIn(dirfd int, ns Namespace, found sightings) error {
	if found.has(saw(ns, XWhiteouts)) {
		if err := hostfs.Setxattr(dirfd, "", ns.Name(Opaque), []byte("x"), 0); err != nil {
			return err
		}
		return remove(dirfd, ns.Name(XWhiteouts))
	}
	if !found.has(saw(ns, Opaque)) || opaqueValue(dirfd, ns.Name(Opaque)) == 'x' {
		return nil
	}
	return remove(dirfd, ns.Name(Opaque))
}

// remove takes an xattr of the object fd away, if it is there.
func remove(fd int, attr string) error {
	if err := hostfs.Removexattr(fd, "", attr); err != unix.ENODATA {
		return err
	}
	return nil
}

// clearAufsOpaque removes .wh..wh..opq, unless it is a user's file.
func clearAufsOpaque(dirfd int) error {
	class, _, err := Classify(dirfd, DirMarks{}, []byte(AufsOpaque), unix.DT_UNKNOWN)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil || class != OpaqueMarker {
		return err
	}
	return hostfs.Unlink(dirfd, AufsOpaque)
}
