package whiteout

// Usage counts the marks of a layer by their form.
type Usage struct {
	Whiteouts   [formats]int    // by format; FormatTar has none on disk
	Opaque      [namespaces]int // directories marked by the kernel's xattr
	FuseOpaque  int             // by fuse-overlayfs' xattr
	AufsOpaque  int             // by .wh..wh..opq
	Bookkeeping int             // other .wh..wh.* files
}

// Detect reads the whole layer rootfd and says which marks it has.
func Detect(rootfd int) (Usage, error) {
	var u Usage
	err := walk(rootfd, func(dirfd int, m DirMarks, entries []found) error {
		for _, f := range entries {
			switch f.class {
			case WhiteoutOf:
				u.Whiteouts[f.format()]++
			case OpaqueMarker:
				u.AufsOpaque++
			case Hidden:
				u.Bookkeeping++
			}
		}
		if !m.Opaque {
			return nil
		}
		return u.countOpaque(dirfd)
	})
	return u, err
}

func (u *Usage) countOpaque(dirfd int) error {
	s, err := scan(dirfd, "")
	for ns := range namespaces {
		if s.has(saw(ns, Opaque)) && opaqueValue(dirfd, ns.Name(Opaque)) == 'y' {
			u.Opaque[ns]++
		}
	}
	if s.has(sawFuseOpaque) {
		u.FuseOpaque++
	}
	return err
}

// Formats lists the forms in use, the most telling first.
func (u Usage) Formats() []Format {
	var list []Format
	for _, f := range [...]Format{FormatOverlay, FormatXattr, FormatAufs} {
		used := u.Whiteouts[f] > 0
		switch f {
		case FormatOverlay:
			used = used || u.Opaque[Trusted]+u.Opaque[User]+u.FuseOpaque > 0 && u.Whiteouts[FormatXattr] == 0
		case FormatAufs:
			used = used || u.AufsOpaque > 0
		}
		if used {
			list = append(list, f)
		}
	}
	return list
}
