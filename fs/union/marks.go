package union

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// fileMarks is what private attributes say of an object in a layer.
type fileMarks struct {
	metacopy bool
	redirect string
	origin   identity
	links    int // lower names not covered by upper; -1 when unsaid
}

// readFileMarks reads the private attributes with one call for an object that
// has none, which is nearly all.
func readFileMarks(p place) (fileMarks, error) {
	m := fileMarks{links: -1}
	var buf [1024]byte
	n, err := hostfs.Listxattr(p.h.fd, p.name, buf[:])
	list := buf[:max(n, 0)]
	if err == unix.ERANGE {
		var names []string
		names, err = hostfs.ListxattrAll(p.h.fd, p.name)
		list = []byte(strings.Join(names, "\x00") + "\x00")
	}
	if err != nil {
		if err == unix.EOPNOTSUPP || err == unix.EPERM || err == unix.EACCES || err == unix.ENODATA {
			return m, nil
		}
		return m, err
	}
	for len(list) > 0 {
		name, rest, _ := bytes.Cut(list, []byte{0})
		list = rest
		if err := m.take(p, name); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (m *fileMarks) take(p place, name []byte) error {
	for _, ns := range [...]whiteout.Namespace{whiteout.User, whiteout.Trusted} {
		switch string(name) {
		case ns.Name(whiteout.Metacopy):
			m.metacopy = true
		case ns.Name(whiteout.Redirect):
			v, err := readMark(p, ns.Name(whiteout.Redirect))
			m.redirect = v
			return err
		case ns.Name(whiteout.UnionOrigin):
			v, err := readMark(p, ns.Name(whiteout.UnionOrigin))
			m.origin = parseIdentity(v)
			return err
		case ns.Name(whiteout.UnionLinks):
			v, err := readMark(p, ns.Name(whiteout.UnionLinks))
			if _, scan := fmt.Sscanf(v, "%d", &m.links); scan != nil {
				m.links = -1
			}
			return err
		}
	}
	return nil
}

func readMark(p place, attr string) (string, error) {
	v, err := hostfs.GetxattrAll(p.h.fd, p.name, attr)
	if err == unix.ENODATA {
		return "", nil
	}
	return string(v), err
}

// String is the form on disk: file system and inode number, in hex.
func (id identity) String() string { return fmt.Sprintf("%016x-%x", id.fsid, id.ino) }

// parseIdentity answers the zero identity for anything that String doesn't write.
func parseIdentity(s string) identity {
	var id identity
	if n, err := fmt.Sscanf(s, "%16x-%x", &id.fsid, &id.ino); n != 2 || err != nil || id.String() != s {
		return identity{}
	}
	return id
}

// mark sets one of our private attributes on an object in upper or work.
func (u *Union) mark(dirfd int, name string, a whiteout.Attr, value string) error {
	return hostfs.Setxattr(dirfd, name, u.caps.Namespace.Name(a), []byte(value), 0)
}

// unmark removes a private attribute in whichever namespace it stands.
func (u *Union) unmark(dirfd int, name string, a whiteout.Attr) error {
	for _, ns := range [...]whiteout.Namespace{whiteout.User, whiteout.Trusted} {
		err := hostfs.Removexattr(dirfd, name, ns.Name(a))
		if err != nil && err != unix.ENODATA && err != unix.EPERM && err != unix.EOPNOTSUPP {
			return err
		}
	}
	return nil
}
