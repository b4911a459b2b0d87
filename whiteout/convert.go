package whiteout

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// convertName is the entry under which a new mark is made beside the old one of
// the same name. As a mark it hides nothing that anybody has.
const convertName = "#unionfs-convert"

// Convert rewrites every whiteout and opaque mark of the layer rootfd, which
// nothing may have mounted, in the format of to, and answers how many it wrote
// anew. At any instant each mark stands in one form at least: an
// interrupted conversion is finished by another. Redirects and metacopies stay
// as they are.
func Convert(rootfd int, to Codec) (int, error) {
	total := 0
	err := walk(rootfd, func(dirfd int, m DirMarks, entries []found) error {
		n, err := convertDir(dirfd, to, m, entries)
		total += n
		return err
	})
	return total, err
}

func convertDir(dirfd int, to Codec, m DirMarks, entries []found) (n int, err error) {
	opaque := m.Opaque
	for _, f := range entries {
		switch {
		case f.class == OpaqueMarker:
			opaque = true
		case f.class != WhiteoutOf:
			continue
		case f.format() == to.Format() && f.format() != FormatXattr:
			continue
		case f.entry == convertName:
			err = hostfs.Unlink(dirfd, f.entry) // left by an interrupted one
		default:
			n++
			err = convertWhiteout(dirfd, to, f)
		}
		if err != nil {
			return n, err
		}
	}
	if to.Format() != FormatXattr && m.XWhiteouts {
		if err := withdraw(dirfd); err != nil {
			return n, err
		}
	}
	if opaque {
		n++
		err = convertOpaque(dirfd, to)
	}
	return n, err
}

func convertWhiteout(dirfd int, to Codec, f found) error {
	if to.MarkName(f.of) == f.entry {
		_ = hostfs.Unlink(dirfd, convertName)
		if err := to.Make(dirfd, convertName); err != nil {
			return err
		}
		return hostfs.Rename(dirfd, convertName, dirfd, f.entry, 0)
	}
	if err := makeBeside(dirfd, to, f.of); err != nil {
		return err
	}
	return hostfs.Unlink(dirfd, f.entry)
}

// makeBeside makes the whiteout of name where name may stand in the same layer,
// as the aufs form allows: the file hides what is below by itself, and a
// directory does so when it is opaque (OCI layer.md: whiteouts apply to lower
// layers only).
func makeBeside(dirfd int, to Codec, name string) error {
	there, dir := exists(dirfd, name)
	switch {
	case to.MarkName(name) == name && dir:
		fd, err := hostfs.OpenDir(dirfd, name)
		if err != nil {
			return err
		}
		defer hostfs.Close(fd)
		return to.MakeOpaque(fd)
	case to.MarkName(name) == name && there:
		return nil
	}
	if err := to.Make(dirfd, name); err != unix.EEXIST {
		return err
	}
	return nil
}

// exists tells whether name is there at all, and whether as a directory.
func exists(dirfd int, name string) (there, dir bool) {
	var st unix.Statx_t
	err := hostfs.Statx(dirfd, name, &st)
	return err == nil, err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// withdraw takes back the announcement of xattr whiteouts.
func withdraw(dirfd int) error {
	s, err := scan(dirfd, "")
	if err != nil {
		return err
	}
	for ns := range namespaces {
		if s.has(saw(ns, XWhiteouts)) {
			err = remove(dirfd, ns.Name(XWhiteouts))
		}
		if err == nil && s.has(saw(ns, Opaque)) && opaqueValue(dirfd, ns.Name(Opaque)) == 'x' {
			err = remove(dirfd, ns.Name(Opaque))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// convertOpaque adds the new mark and then takes away those of other forms.
func convertOpaque(dirfd int, to Codec) error {
	if err := to.MakeOpaque(dirfd); err != nil {
		return err
	}
	own := ownOpaque(to)
	if own != "" && opaqueValue(dirfd, own) != 'y' {
		return nil // the host took no xattr: the marker file is the mark
	}
	for _, attr := range [...]string{Trusted.Name(Opaque), User.Name(Opaque), fuseOpaque} {
		if attr == own || opaqueValue(dirfd, attr) != 'y' {
			continue
		}
		if err := remove(dirfd, attr); err != nil {
			return err
		}
	}
	if own == "" {
		return nil
	}
	return clearAufsOpaque(dirfd)
}

// ownOpaque is the attribute that to marks a directory with, if any.
func ownOpaque(to Codec) string {
	e, err := to.Encode(Mark{Kind: MarkOpaque})
	if err != nil {
		return ""
	}
	for attr := range e.Xattrs {
		return attr
	}
	return ""
}
