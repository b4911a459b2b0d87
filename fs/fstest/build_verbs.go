package fstest

import (
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// verbs are the kinds of lines of a description.
var verbs = map[string]func(b *builder, p string, args []string) error{
	"dir":      (*builder).dir,
	"file":     (*builder).file,
	"random":   (*builder).random,
	"sparse":   (*builder).sparse,
	"symlink":  (*builder).symlink,
	"hardlink": (*builder).hardlink,
	"fifo":     nodeVerb(unix.S_IFIFO),
	"sock":     nodeVerb(unix.S_IFSOCK),
	"char":     nodeVerb(unix.S_IFCHR),
	"block":    nodeVerb(unix.S_IFBLK),
	"whiteout": (*builder).whiteout,
	"opaque":   (*builder).opaque,
	"xattr":    func(*builder, string, []string) error { return nil }, // only attributes
	"owner":    (*builder).ownerVerb,
	"mtime":    (*builder).mtimeVerb,
}

func (b *builder) dir(p string, args []string) error {
	mode, _, err := parseMode(args, 0o755)
	if err != nil {
		return err
	}
	b.touch(p)
	if err := os.Mkdir(b.path(p), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return unix.Chmod(b.path(p), mode) // not of mkdir: the umask must not count
}

func (b *builder) file(p string, args []string) error {
	mode, args, err := parseMode(args, 0o644)
	if err != nil {
		return err
	}
	content := ""
	if len(args) > 0 {
		if content, err = parseValue(args[0]); err != nil {
			return err
		}
	}
	return b.regular(p, mode, []byte(content))
}

func (b *builder) regular(p string, mode uint32, content []byte) error {
	b.touch(p)
	if err := os.WriteFile(b.path(p), content, 0o600); err != nil {
		return err
	}
	return unix.Chmod(b.path(p), mode)
}

// random PATH SIZE SEED: content that doesn't compress and is known again.
func (b *builder) random(p string, args []string) error {
	n, err := parseNumbers(args, 2)
	if err != nil {
		return err
	}
	return b.regular(p, 0o644, RandomBytes(n[0], n[1]))
}

// RandomBytes is the content of `random PATH SIZE SEED`.
func RandomBytes(size, seed int64) []byte {
	out := make([]byte, size)
	rand.New(rand.NewSource(seed)).Read(out) // never fails
	return out
}

// sparse PATH SIZE [OFFSET "data"]: a hole with one island of data.
func (b *builder) sparse(p string, args []string) error {
	size, err := parseNumbers(args, 1)
	if err != nil {
		return err
	}
	if err := b.regular(p, 0o644, nil); err != nil {
		return err
	}
	if len(args) >= 3 {
		if err := b.island(p, args[1:]); err != nil {
			return err
		}
	}
	return os.Truncate(b.path(p), size[0])
}

func (b *builder) island(p string, args []string) error {
	off, err := parseNumbers(args, 1)
	if err != nil {
		return err
	}
	data, err := parseValue(args[1])
	if err != nil {
		return err
	}
	f, err := os.OpenFile(b.path(p), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(data), off[0])
	return errors.Join(err, f.Close())
}

func (b *builder) symlink(p string, args []string) error {
	if len(args) != 2 || args[0] != "->" {
		return errors.New("symlink PATH -> TARGET")
	}
	target, err := parseValue(args[1])
	if err != nil {
		return err
	}
	b.touch(p)
	return os.Symlink(target, b.path(p))
}

func (b *builder) hardlink(p string, args []string) error {
	if len(args) != 2 || args[0] != "=" {
		return errors.New("hardlink NEW = OLD")
	}
	old, err := Unescape(args[1])
	if err != nil {
		return err
	}
	return os.Link(b.path(old), b.path(p)) // one inode, one time: that of OLD
}

// nodeVerb makes fifo PATH [MODE], char PATH MAJOR MINOR [MODE] and so on.
func nodeVerb(kind uint32) func(*builder, string, []string) error {
	return func(b *builder, p string, args []string) error {
		dev := 0
		if kind == unix.S_IFCHR || kind == unix.S_IFBLK {
			n, err := parseNumbers(args, 2)
			if err != nil {
				return err
			}
			dev, args = int(unix.Mkdev(uint32(n[0]), uint32(n[1]))), args[2:]
		}
		mode, _, err := parseMode(args, 0o644)
		if err != nil {
			return err
		}
		b.touch(p)
		if err := unix.Mknod(b.path(p), kind|0o600, dev); err != nil {
			return err
		}
		return unix.Chmod(b.path(p), mode)
	}
}

func aufsName(p string) string {
	return filepath.Join(filepath.Dir(p), ".wh."+strings.TrimPrefix(filepath.Base(p), "/"))
}
