package whiteout

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// overlay is the form that the kernel's overlayfs writes
// (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").
type overlay struct{ ns Namespace }

func (overlay) Format() Format { return FormatOverlay }

func (c overlay) Encode(m Mark) (Entry, error) {
	if m.Kind == MarkOpaque {
		return opaqueEntry(c.ns), nil
	}
	if err := whiteoutName(m); err != nil {
		return Entry{}, err
	}
	return Entry{Name: m.Name, Mode: unix.S_IFCHR}, nil
}

func (overlay) Decode(e Entry) (Mark, bool) {
	if e.Name == "" {
		return decodeOpaque(e)
	}
	if e.Mode&unix.S_IFMT != unix.S_IFCHR || e.Rdev != 0 || !ValidName(e.Name) {
		return Mark{}, false
	}
	return Mark{Kind: MarkWhiteout, Name: e.Name}, true
}

func (overlay) MarkName(name string) string { return name }

// Make needs no privilege: vfs_mknod lets everybody make this one device
// (is_whiteout_dev, Linux 5.8).
func (c overlay) Make(dirfd int, name string) error {
	e, err := c.Encode(Mark{Kind: MarkWhiteout, Name: name})
	if err != nil {
		return err
	}
	return hostfs.Mknod(dirfd, e.Name, e.Mode, e.Rdev)
}

func (c overlay) MakeOpaque(dirfd int) error {
	return setOpaque(dirfd, c.ns)
}

func (overlay) ClearOpaque(dirfd int) error {
	return clearOpaque(dirfd)
}
