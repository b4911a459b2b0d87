package whiteout

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Codec writes marks in one format.
type Codec interface {
	Format() Format
	// Encode gives the entry that states the mark: EINVAL when the format
	// can't name it, ENAMETOOLONG when its entry would be longer than
	// NAME_MAX.
	Encode(m Mark) (Entry, error)
	// Decode is Encode's inverse. It reads both namespaces' xattrs.
	Decode(e Entry) (Mark, bool)
	// MarkName is the directory entry that carries the whiteout of name.
	MarkName(name string) string
	// Make makes the whiteout of name in dirfd; EEXIST when its entry is
	// taken.
	Make(dirfd int, name string) error
	// MakeOpaque marks the directory dirfd, which may be an O_PATH handle.
	MakeOpaque(dirfd int) error
	// ClearOpaque takes the mark away, whichever form it has.
	ClearOpaque(dirfd int) error
}

// NewCodec gives the codec of f, whose xattrs are in ns.
func NewCodec(f Format, ns Namespace) Codec {
	switch f {
	case FormatXattr:
		return xattrForm{ns}
	case FormatAufs:
		return aufs{}
	case FormatTar:
		return tarForm{}
	}
	return overlay{ns}
}

// whiteoutName checks what a mark names.
func whiteoutName(m Mark) error {
	switch {
	case len(m.Name) > nameMax:
		return unix.ENAMETOOLONG
	case !ValidName(m.Name):
		return unix.EINVAL
	}
	return nil
}

// opaqueEntry is the directory's own entry in the formats with xattrs.
func opaqueEntry(ns Namespace) Entry {
	return Entry{Mode: unix.S_IFDIR, Xattrs: map[string]string{ns.Name(Opaque): "y"}}
}

func decodeOpaque(e Entry) (Mark, bool) {
	if e.Name != "" || e.Mode&unix.S_IFMT != unix.S_IFDIR {
		return Mark{}, false
	}
	for _, name := range [...]string{Trusted.Name(Opaque), User.Name(Opaque), fuseOpaque} {
		if e.Xattrs[name] == "y" {
			return Mark{Kind: MarkOpaque}, true
		}
	}
	return Mark{}, false
}

// encodeAufs is shared by the directory and the archive form.
func encodeAufs(m Mark) (Entry, error) {
	e := Entry{Name: AufsOpaque, Mode: unix.S_IFREG | aufsMode}
	if m.Kind == MarkOpaque {
		return e, nil
	}
	if err := whiteoutName(m); err != nil {
		return Entry{}, err
	}
	if strings.HasPrefix(m.Name, AufsPrefix) {
		return Entry{}, unix.EINVAL
	}
	if len(AufsPrefix)+len(m.Name) > nameMax {
		return Entry{}, unix.ENAMETOOLONG
	}
	e.Name = AufsPrefix + m.Name
	return e, nil
}

// decodeAufsName reads the name alone.
func decodeAufsName(name string) (Mark, bool) {
	if name == AufsOpaque {
		return Mark{Kind: MarkOpaque}, true
	}
	of, ok := strings.CutPrefix(name, AufsPrefix)
	if !ok || !ValidName(of) || !ValidName(name) || strings.HasPrefix(of, AufsPrefix) {
		return Mark{}, false
	}
	return Mark{Kind: MarkWhiteout, Name: of}, true
}
