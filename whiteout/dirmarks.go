package whiteout

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// DirMarks is what a layer's directory says of itself in xattrs.
type DirMarks struct {
	Opaque      bool
	XWhiteouts  bool // it may have whiteouts of the xattr form
	Redirect    string
	HasRedirect bool

	dialect Dialect
}

// ReadDirMarks reads the directory name below fd, or fd itself. Attributes that
// can't be read are as good as absent. The aufs form's .wh..wh..opq isn't
// looked for: who reads the directory meets it anyway.
func ReadDirMarks(fd int, name string) (DirMarks, error) { return AnyForm.ReadDirMarks(fd, name) }

// ReadDirMarks is the function of that name, for a layer in this dialect.
func (d Dialect) ReadDirMarks(fd int, name string) (DirMarks, error) {
	if name == "" {
		// "." spares a detour over /proc with O_PATH handles.
		m, err := d.readDirMarks(fd, ".")
		if err == nil {
			return m, nil
		}
	}
	return d.readDirMarks(fd, name)
}

func (d Dialect) readDirMarks(fd int, name string) (m DirMarks, err error) {
	m.dialect = d
	found, err := listDir(fd, name)
	found &= dialectMask[d]
	if err != nil || found == 0 {
		return m, err
	}
	m.XWhiteouts = found.has(sawAny(XWhiteouts))
	for ns := range namespaces {
		if found.has(saw(ns, Opaque)) {
			m.say(opaqueValueAt(fd, name, ns.Name(Opaque)))
		}
		if found.has(saw(ns, Redirect)) && !m.HasRedirect {
			m.readRedirect(fd, name, ns)
		}
	}
	if found.has(sawFuseOpaque) {
		m.say(opaqueValueAt(fd, name, fuseOpaque))
	}
	return m, nil
}

// listDir scans; for "." an EACCES (no search permission) is an error, so that
// the caller tries the handle itself.
func listDir(fd int, name string) (sightings, error) {
	if name == "." {
		var buf [1024]byte
		n, err := hostfs.Listxattr(fd, name, buf[:])
		if err == nil {
			return scanList(buf[:n]), nil
		}
		if err == unix.EACCES || err == unix.ENOTDIR {
			return 0, err
		}
	}
	return scan(fd, name)
}

func (m *DirMarks) say(value byte) {
	switch value {
	case 'y':
		m.Opaque = true
	case 'x':
		m.XWhiteouts = true
	}
}

func (m *DirMarks) readRedirect(fd int, name string, ns Namespace) {
	value, err := hostfs.GetxattrAll(fd, name, ns.Name(Redirect))
	if err == nil && len(value) > 0 {
		m.Redirect, m.HasRedirect = string(value), true
	}
}

// opaqueValueAt answers the one byte of an opaque attribute; anything longer is
// no statement (ovl_get_dir_xattr_val).
func opaqueValueAt(fd int, name, attr string) byte {
	var b [1]byte
	if n, err := hostfs.Getxattr(fd, name, attr, b[:]); err != nil || n != 1 {
		return 0
	}
	return b[0]
}

func opaqueValue(fd int, attr string) byte { return opaqueValueAt(fd, "", attr) }
