package whiteout

// MarkKind is what a mark says.
type MarkKind uint8

const (
	// MarkWhiteout hides one name of the layers below.
	MarkWhiteout MarkKind = iota
	// MarkOpaque hides all that the directory has in the layers below.
	MarkOpaque
)

// Mark is one statement of a directory about the layers below.
type Mark struct {
	Kind MarkKind
	Name string // of a whiteout: what it hides
}

// Entry is how a mark stands in a directory, or in an archive. The Name "" is
// the directory itself.
type Entry struct {
	Name   string
	Mode   uint32 // S_IFMT and permission bits
	Rdev   uint64
	Size   int64
	Xattrs map[string]string
}

// Format is a way to write marks.
type Format uint8

const (
	// FormatOverlay is the kernel's: devices 0:0 and an xattr.
	FormatOverlay Format = iota
	// FormatXattr is the kernel's where no device can be made.
	FormatXattr
	// FormatAufs needs neither devices nor xattrs.
	FormatAufs
	// FormatTar is the aufs form in OCI and Docker layer archives.
	FormatTar
	formats
)

func (f Format) String() string {
	switch f {
	case FormatOverlay:
		return "overlay"
	case FormatXattr:
		return "xattr"
	case FormatAufs:
		return "aufs"
	case FormatTar:
		return "tar"
	}
	return "unknown"
}
