package whiteout

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// xattrForm is the kernel's second form (Linux 6.7, "nesting overlayfs
// mounts"), for hosts that refuse the device 0:0: NFS, 9p, virtiofs.
type xattrForm struct{ ns Namespace }

// xattrFormMode lets its owner, and a reader of the layer, get at the
// attribute: user.* xattrs follow the file's permissions (xattr(7)).
const xattrFormMode = 0o644

func (xattrForm) Format() Format { return FormatXattr }

func (c xattrForm) Encode(m Mark) (Entry, error) {
	if m.Kind == MarkOpaque {
		return opaqueEntry(c.ns), nil
	}
	if err := whiteoutName(m); err != nil {
		return Entry{}, err
	}
	return Entry{Name: m.Name, Mode: unix.S_IFREG | xattrFormMode,
		Xattrs: map[string]string{c.ns.Name(Whiteout): "y"}}, nil
}

// Decode takes it that the directory announces xattr whiteouts. The value of
// the attribute says nothing (ovl_path_check_xwhiteout_xattr).
func (xattrForm) Decode(e Entry) (Mark, bool) {
	if e.Name == "" {
		return decodeOpaque(e)
	}
	if e.Mode&unix.S_IFMT != unix.S_IFREG || e.Size != 0 || !ValidName(e.Name) {
		return Mark{}, false
	}
	for ns := range namespaces {
		if _, ok := e.Xattrs[ns.Name(Whiteout)]; ok {
			return Mark{Kind: MarkWhiteout, Name: e.Name}, true
		}
	}
	return Mark{}, false
}

func (xattrForm) MarkName(name string) string { return name }

// Make announces first: the mark must never be there as a mere empty file. For
// the same reason the file gets its name last, where the host has O_TMPFILE.
func (c xattrForm) Make(dirfd int, name string) error {
	if _, err := c.Encode(Mark{Kind: MarkWhiteout, Name: name}); err != nil {
		return err
	}
	if err := c.announce(dirfd); err != nil {
		return err
	}
	fd, err := hostfs.OpenTmp(dirfd, unix.O_WRONLY, xattrFormMode)
	if err != nil {
		return c.makeNamed(dirfd, name)
	}
	defer hostfs.Close(fd)
	if err := hostfs.Setxattr(fd, "", c.ns.Name(Whiteout), []byte("y"), 0); err != nil {
		return err
	}
	return hostfs.Link(fd, "", dirfd, name)
}

func (c xattrForm) makeNamed(dirfd int, name string) error {
	fd, err := hostfs.Open(dirfd, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, xattrFormMode)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	if err := hostfs.Setxattr(fd, "", c.ns.Name(Whiteout), []byte("y"), 0); err != nil {
		_ = hostfs.Unlink(dirfd, name) // the first error is the one to tell
		return err
	}
	return nil
}

// announce makes readers of the directory look for xattr whiteouts.
func (c xattrForm) announce(dirfd int) error {
	m, err := ReadDirMarks(dirfd, "")
	switch {
	case err != nil || m.XWhiteouts:
		return err
	case m.Opaque:
		return hostfs.Setxattr(dirfd, "", c.ns.Name(XWhiteouts), []byte("y"), 0)
	}
	return hostfs.Setxattr(dirfd, "", c.ns.Name(Opaque), []byte("x"), 0)
}

func (c xattrForm) MakeOpaque(dirfd int) error {
	return setOpaque(dirfd, c.ns)
}

func (xattrForm) ClearOpaque(dirfd int) error {
	return clearOpaque(dirfd)
}
