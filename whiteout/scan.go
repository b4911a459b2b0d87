package whiteout

import (
	"bytes"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// sightings are the private attributes that an object's list names, a bit each.
type sightings uint64

// sawFuseOpaque is the bit behind those of the table.
const sawFuseOpaque = sightings(1) << (uint(namespaces) * uint(attrs))

func saw(ns Namespace, a Attr) sightings {
	return 1 << (uint(ns)*uint(attrs) + uint(a))
}

func (s sightings) has(bits sightings) bool { return s&bits != 0 }

// sawAny is the attribute in whichever namespace.
func sawAny(a Attr) sightings { return saw(Trusted, a) | saw(User, a) }

// scan lists the attributes of an object once. A host without xattrs, or one
// that lets us see none, shows none.
func scan(dirfd int, name string) (sightings, error) {
	var buf [1024]byte
	n, err := hostfs.Listxattr(dirfd, name, buf[:])
	switch err {
	case nil:
		return scanList(buf[:n]), nil
	case unix.ERANGE:
		return scanLong(dirfd, name)
	case unix.EOPNOTSUPP, unix.EPERM, unix.EACCES, unix.ENOSYS, unix.E2BIG:
		return 0, nil
	}
	return 0, err
}

func scanLong(dirfd int, name string) (sightings, error) {
	list, err := hostfs.ListxattrAll(dirfd, name)
	if err == unix.ERANGE || err == unix.E2BIG {
		return 0, nil // longer than XATTR_LIST_MAX: nobody can read it (xattr(7))
	}
	var s sightings
	for _, one := range list {
		s |= sighting([]byte(one))
	}
	return s, err
}

func scanList(list []byte) (s sightings) {
	for len(list) > 0 {
		end := bytes.IndexByte(list, 0)
		if end < 0 {
			end = len(list) - 1
		}
		s |= sighting(list[:end])
		list = list[end+1:]
	}
	return s
}

func sighting(name []byte) sightings {
	if string(name) == fuseOpaque {
		return sawFuseOpaque
	}
	for ns := range namespaces {
		for a := range attrs {
			if string(name) == attrName[ns][a] {
				return saw(ns, a)
			}
		}
	}
	return 0
}
