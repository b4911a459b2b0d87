package whiteout

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Class is what a name in a layer's directory is.
type Class uint8

const (
	// Plain is a file of the union's users.
	Plain Class = iota
	// WhiteoutOf hides a name.
	WhiteoutOf
	// OpaqueMarker makes the directory opaque.
	OpaqueMarker
	// Hidden is aufs' bookkeeping: nobody sees it, and it says nothing.
	Hidden
)

// Classify tells what the entry name of the layer's directory dirfd is, and of
// a whiteout what it hides (part of name, or name). m are that directory's
// marks. Most names cost no system call.
func Classify(dirfd int, m DirMarks, name []byte, dtype uint8) (Class, []byte, error) {
	switch dtype {
	case unix.DT_CHR, unix.DT_UNKNOWN:
	case unix.DT_REG:
		if !m.XWhiteouts && !m.aufsLike(name) {
			return Plain, nil, nil
		}
	default:
		return Plain, nil, nil
	}
	var st unix.Statx_t
	if err := hostfs.Statx(dirfd, text(name), &st); err != nil {
		return Plain, nil, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		if st.Rdev_major == 0 && st.Rdev_minor == 0 {
			return WhiteoutOf, name, nil
		}
	case unix.S_IFREG:
		if st.Size == 0 && (m.XWhiteouts || m.aufsLike(name)) {
			return classifyEmpty(dirfd, m, name)
		}
	}
	return Plain, nil, nil
}

// classifyEmpty looks at the attributes of an empty regular file.
func classifyEmpty(dirfd int, m DirMarks, name []byte) (Class, []byte, error) {
	found, err := scan(dirfd, text(name))
	found &= dialectMask[m.dialect]
	switch {
	case err != nil:
		return Plain, nil, err
	case m.XWhiteouts && found.has(sawAny(Whiteout)):
		return WhiteoutOf, name, nil
	case !m.aufsLike(name) || found.has(sawAny(PlainName)):
		return Plain, nil, nil
	case string(name) == AufsOpaque:
		return OpaqueMarker, nil, nil
	case len(name) >= len(aufsPrivate) && string(name[:len(aufsPrivate)]) == aufsPrivate:
		return Hidden, nil, nil
	}
	return WhiteoutOf, name[len(AufsPrefix):], nil
}

func (m *DirMarks) aufsLike(name []byte) bool { return m.dialect.aufs() && aufsLike(name) }

// aufsLike tells whether name could be a mark of the aufs form. What would
// stand for "", "." or ".." stands for itself.
func aufsLike(name []byte) bool {
	if len(name) <= len(AufsPrefix) || string(name[:len(AufsPrefix)]) != AufsPrefix {
		return false
	}
	of := name[len(AufsPrefix):]
	return string(of) != "." && string(of) != ".."
}

// text lends the bytes of a name to a call that doesn't keep them.
func text(name []byte) string {
	return unsafe.String(unsafe.SliceData(name), len(name))
}
