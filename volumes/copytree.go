package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// treeCopy copies a directory with all that is in it: owners, modes, times,
// attributes, hard links and holes. Blocks are shared where the file system can.
type treeCopy struct {
	ctx context.Context
	to  int
	// marks copies what a union keeps in attributes and devices, too: the copy is
	// a layer then, as its source is.
	marks bool
	links map[inode]string // the first name in the copy of files with several
}

type inode struct {
	major, minor uint32
	ino          uint64
}

func copyTree(ctx context.Context, from, to string, marks bool) error {
	src, err := openDir(from)
	if err != nil {
		return &os.PathError{Op: "open", Path: from, Err: err}
	}
	defer hostfs.Close(src)
	dst, err := openDir(to)
	if err != nil {
		return &os.PathError{Op: "open", Path: to, Err: err}
	}
	defer hostfs.Close(dst)
	c := &treeCopy{ctx: ctx, to: dst, marks: marks, links: map[inode]string{}}
	if err := c.directory(src, dst, ""); err != nil {
		return err
	}
	return unix.Syncfs(dst)
}

// directory copies what is in a directory, and then what it is like: its times
// are to be the source's.
func (c *treeCopy) directory(src, dst int, name string) error {
	names, err := namesOf(src)
	if err != nil {
		return err
	}
	for _, entry := range names {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		full := path.Join(name, entry)
		if err := c.entry(src, dst, entry, full); err != nil {
			var said *copyError
			if errors.As(err, &said) {
				return err
			}
			return &copyError{full, err}
		}
	}
	return c.look(src, "", dst, "")
}

// copyError names the file that can't be copied.
type copyError struct {
	name string
	err  error
}

func (e *copyError) Error() string { return fmt.Sprintf("%s: %v", e.name, e.err) }

func (e *copyError) Unwrap() error { return e.err }

func (c *treeCopy) look(src int, from string, dst int, to string) error {
	if !c.marks {
		return adorn(src, from, dst, to)
	}
	if err := copyMarks(src, from, dst, to); err != nil {
		return err
	}
	return adorn(src, from, dst, to)
}

func (c *treeCopy) entry(src, dst int, entry, full string) error {
	var st unix.Statx_t
	err := hostfs.Statx(src, entry, &st)
	if err == unix.ENOENT {
		return nil // removed while we copy
	}
	if err != nil {
		return err
	}
	kind := uint32(st.Mode & unix.S_IFMT)
	if kind == unix.S_IFDIR {
		return c.enter(src, dst, entry, full)
	}
	if st.Nlink > 1 {
		id := inode{st.Dev_major, st.Dev_minor, st.Ino}
		if first, ok := c.links[id]; ok {
			return hostfs.Link(c.to, first, dst, entry)
		}
		c.links[id] = full
	}
	switch kind {
	case unix.S_IFREG:
		return c.file(src, dst, entry)
	case unix.S_IFLNK:
		target, err := hostfs.Readlink(src, entry)
		if err == nil {
			err = hostfs.Symlink(target, dst, entry)
		}
		if err != nil {
			return err
		}
	default:
		dev := unix.Mkdev(st.Rdev_major, st.Rdev_minor)
		if err := hostfs.Mknod(dst, entry, uint32(st.Mode), dev); err != nil {
			return err
		}
	}
	return c.look(src, entry, dst, entry)
}

func (c *treeCopy) enter(src, dst int, entry, full string) error {
	if err := hostfs.Mkdir(dst, entry, 0o700); err != nil {
		return err
	}
	from, err := hostfs.Open(src, entry, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(from)
	to, err := hostfs.Open(dst, entry, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(to)
	return c.directory(from, to, full)
}

func (c *treeCopy) file(src, dst int, entry string) error {
	from, err := hostfs.Open(src, entry, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(from)
	to, err := hostfs.Open(dst, entry, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer hostfs.Close(to)
	var st unix.Statx_t
	if err := hostfs.Statx(from, "", &st); err != nil {
		return err
	}
	if err := hostfs.CopyData(to, from, int64(st.Size), true); err != nil {
		return err
	}
	return c.look(from, "", to, "")
}

// copyMarks copies the attributes of a union.
func copyMarks(src int, from string, dst int, to string) error {
	names, err := hostfs.ListxattrAll(src, from)
	if err == unix.EOPNOTSUPP {
		return nil
	}
	for _, name := range names {
		if err != nil {
			break
		}
		if !isMark(name) {
			continue
		}
		var value []byte
		if value, err = hostfs.GetxattrAll(src, from, name); err == nil {
			err = hostfs.Setxattr(dst, to, name, value, 0)
		}
	}
	return err
}

// sharesBlocks tells whether the store's file system can share a file's blocks
// with a copy (ioctl_ficlone(2)).
func (st *stage) sharesBlocks() bool {
	a, err := os.Create(st.path("clone-from"))
	if err != nil {
		return false
	}
	defer a.Close()
	b, err := os.Create(st.path("clone-to"))
	if err != nil {
		return false
	}
	defer b.Close()
	if _, err := a.Write(make([]byte, 4096)); err != nil {
		return false
	}
	return hostfs.Clone(int(b.Fd()), int(a.Fd())) == nil
}
