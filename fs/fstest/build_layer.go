package fstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// whiteout makes NAME disappear, in the current format: `overlay` a character
// device 0:0, `xattr` an empty file with the mark inside a directory whose
// opaque xattr is x, `aufs` a file .wh.NAME.
func (b *builder) whiteout(p string, _ []string) error {
	switch b.format {
	case "overlay":
		return unix.Mknod(b.path(p), unix.S_IFCHR, 0)
	case "xattr":
		if err := os.WriteFile(b.path(p), nil, 0o644); err != nil {
			return err
		}
		if err := b.private(p, "whiteout", "y"); err != nil {
			return err
		}
		return b.private(filepath.Dir(p), "opaque", "x")
	case "aufs":
		return os.WriteFile(b.path(aufsName(p)), nil, 0o644)
	}
	return fmt.Errorf("%s: not a whiteout format", b.format)
}

// opaque hides what lies below a directory; `opaque PATH fuseoverlayfs` marks
// it in fuse-overlayfs' own xattr.
func (b *builder) opaque(p string, args []string) error {
	b.touch(p)
	if err := os.Mkdir(b.path(p), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if b.format == "aufs" {
		return os.WriteFile(b.path(p)+"/.wh..wh..opq", nil, 0o644)
	}
	if len(args) > 0 && args[0] == "fuseoverlayfs" {
		return unix.Lsetxattr(b.path(p), "user.fuseoverlayfs.opaque", []byte("y"), 0)
	}
	return b.private(p, "opaque", "y")
}

// private sets an overlay xattr in the namespace that the kernel's overlayfs
// of the same privilege reads: trusted, else user.
func (b *builder) private(p, name, value string) error {
	err := unix.Lsetxattr(b.path(p), "trusted.overlay."+name, []byte(value), 0)
	if err == unix.EPERM {
		err = unix.Lsetxattr(b.path(p), "user.overlay."+name, []byte(value), 0)
	}
	return err
}

// xattr sets name=value words. An existing xattr is replaced.
func (b *builder) xattr(p string, pairs []string) error {
	for _, pair := range pairs {
		name, text, _ := strings.Cut(pair, "=")
		value, err := parseValue(text)
		if err != nil {
			return err
		}
		if err := unix.Lsetxattr(b.path(p), name, []byte(value), 0); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (b *builder) owner(p, value string) error {
	var uid, gid int
	if _, err := fmt.Sscanf(value, "%d:%d", &uid, &gid); err != nil {
		return fmt.Errorf("owner %s: %w", value, err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(b.path(p), &st); err != nil {
		return err
	}
	if err := unix.Lchown(b.path(p), uid, gid); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil
	}
	return unix.Chmod(b.path(p), st.Mode&0o7777) // chown clears suid and sgid
}

func (b *builder) mode(p, value string) error {
	mode, _, err := parseMode([]string{value}, 0)
	if err != nil {
		return err
	}
	return unix.Chmod(b.path(p), mode)
}

func (b *builder) mtime(p, value string) error {
	at, err := parseStamp(value)
	b.times[p] = at
	return err
}

func (b *builder) ownerVerb(p string, args []string) error {
	return b.owner(p, strings.Join(args, ""))
}

func (b *builder) mtimeVerb(p string, args []string) error {
	return b.mtime(p, strings.Join(args, ""))
}
