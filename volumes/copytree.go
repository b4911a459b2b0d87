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

// CopyOptions say how a tree is copied.
type CopyOptions struct {
	// Owner answers whose the copy of a file is to be; nil keeps owners.
	Owner func(uid, gid uint32) (diskUID, diskGID uint32)
	// Data opens the file with a file's bytes where those can be had without the
	// source's file system, so that they are shared with the copy (ioctl_ficlone(2))
	// or at least copied in the kernel; nil and -1 know no better one.
	Data func(name string, size int64) int
	// Foreign says that the copy is on a file system that may lack owners, modes,
	// times, attributes and hard links, and can only be written from the beginning
	// to the end (the plugins'): what it lacks is left out.
	Foreign bool
	// marks copies what a union keeps in attributes and devices, too: the copy is
	// a layer then, as its source is.
	marks bool
}

// treeCopy copies a directory with all that is in it: owners, modes, times,
// attributes, hard links and holes. Blocks are shared where the file system can.
// It makes bare calls alone: this process may serve what it reads.
type treeCopy struct {
	CopyOptions
	ctx   context.Context
	to    int
	links map[inode]string // the first name in the copy of files with several
}

type inode struct {
	major, minor uint32
	ino          uint64
}

// CopyTree copies an open directory into another one, which is empty. The
// descriptors may be such as only name them (O_PATH).
func CopyTree(ctx context.Context, from, to int, o CopyOptions) error {
	src, err := hostfs.Open(from, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(src)
	dst, err := hostfs.Open(to, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(dst)
	c := &treeCopy{CopyOptions: o, ctx: ctx, to: dst, links: map[inode]string{}}
	return c.directory(src, dst, "")
}

// copyTree is CopyTree by paths, which puts the copy on disk.
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
	if err := CopyTree(ctx, src, dst, CopyOptions{marks: marks}); err != nil {
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
	if c.marks {
		if err := copyMarks(src, from, dst, to); err != nil {
			return err
		}
	}
	return adornment{owner: c.Owner, foreign: c.Foreign}.copy(src, from, dst, to)
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
			err := hostfs.Link(c.to, first, dst, entry)
			if !c.Foreign || err == nil {
				return err
			}
		}
		c.links[id] = full
	}
	switch kind {
	case unix.S_IFREG:
		// A foreign file gets its times when it is closed: what it is like comes
		// after that.
		if err := c.file(src, dst, entry, full); err != nil || !c.Foreign {
			return err
		}
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
		err := hostfs.Mknod(dst, entry, uint32(st.Mode), dev)
		if err == unix.EPERM && kind != unix.S_IFIFO && kind != unix.S_IFSOCK && !c.marks {
			return nil // no device can be made in a user namespace, nor used
		}
		if err != nil {
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

func (c *treeCopy) file(src, dst int, entry, full string) error {
	from, err := hostfs.Open(src, entry, unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(from)
	how := unix.O_RDWR
	if c.Foreign {
		how = unix.O_WRONLY
	}
	to, err := hostfs.Open(dst, entry, how|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer hostfs.Close(to)
	if err := c.data(from, to, full); err != nil {
		return err
	}
	if !c.Foreign {
		return c.look(from, "", to, "")
	}
	// By its name, and when it was closed: a file that is written in one go gets
	// its times then.
	if err := hostfs.Fsync(to); err != nil && !lacks(err) {
		return err
	}
	return c.look(src, entry, dst, entry)
}

// data copies a file's bytes.
func (c *treeCopy) data(from, to int, full string) error {
	var st unix.Statx_t
	if err := hostfs.Statx(from, "", &st); err != nil {
		return err
	}
	size := int64(st.Size)
	if c.Data != nil && size > 0 {
		if fd := c.Data(full, size); fd >= 0 {
			defer hostfs.Close(fd)
			from = fd
		}
	}
	return hostfs.CopyData(to, from, size, !c.Foreign)
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
