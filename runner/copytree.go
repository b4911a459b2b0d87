package runner

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// treeCopy copies a directory with all that is in it: owners, modes, times,
// extended attributes, hard links and holes. It makes bare calls, as readIn
// does: what it reads may be served by this process.
type treeCopy struct {
	to int // the copy's root
	// data opens the file with a file's bytes where those can be had without the
	// source's file system, so that they are shared with the copy (ioctl_ficlone(2))
	// or at least copied in the kernel; nil and -1 know no better one.
	data func(name string, size int64) int
	// ids are those that from shows owners in; the copy has the owners on disk.
	ids sandbox.IDMaps
	// links are the first names of files with several: inode → name in the copy.
	links map[inode]string
}

type inode struct{ dev, ino uint64 }

// copyTree copies the directory from into the directory to, which is empty.
func copyTree(from, to int, ids sandbox.IDMaps, data func(name string, size int64) int) error {
	src, err := reopenDir(from)
	if err != nil {
		return err
	}
	defer unix.Close(src)
	dst, err := reopenDir(to)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	c := &treeCopy{to: dst, data: data, ids: ids, links: map[inode]string{}}
	return c.directory(src, dst, "")
}

func reopenDir(fd int) (int, error) {
	return unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// directory copies what is in a directory, and then what it is like: its times
// are to be the source's.
func (c *treeCopy) directory(src, dst int, name string) error {
	names, err := namesIn(src)
	if err != nil {
		return err
	}
	for _, entry := range names {
		full := path.Join(name, entry)
		if err := c.entry(src, dst, entry, full); err != nil {
			var said *copyError
			if errors.As(err, &said) {
				return err
			}
			return &copyError{full, err}
		}
	}
	return c.look(src, dst)
}

// copyError names the file that can't be copied.
type copyError struct {
	name string
	err  error
}

func (e *copyError) Error() string { return fmt.Sprintf("%s: %v", e.name, e.err) }

func (e *copyError) Unwrap() error { return e.err }

func (c *treeCopy) entry(src, dst int, entry, full string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(src, entry, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	kind := st.Mode & unix.S_IFMT
	if kind == unix.S_IFDIR {
		return c.enter(src, dst, entry, full)
	}
	if st.Nlink > 1 {
		id := inode{st.Dev, st.Ino}
		if first, ok := c.links[id]; ok {
			return unix.Linkat(c.to, first, dst, entry, 0)
		}
		c.links[id] = full
	}
	switch kind {
	case unix.S_IFREG:
		return c.file(src, dst, entry, full)
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(src, entry, buf)
		if err != nil {
			return err
		}
		if err := unix.Symlinkat(string(buf[:n]), dst, entry); err != nil {
			return err
		}
	default:
		err := unix.Mknodat(dst, entry, st.Mode, int(st.Rdev))
		if err == unix.EPERM && (kind == unix.S_IFCHR || kind == unix.S_IFBLK) {
			return nil // no device can be made in a user namespace, nor used
		}
		if err != nil {
			return err
		}
	}
	return c.adornName(dst, entry, &st)
}

// adornName gives the owner, mode and times to what can't be opened.
func (c *treeCopy) adornName(dir int, name string, st *unix.Stat_t) error {
	if err := keepGoing(unix.Fchownat(dir, name, int(onDisk(c.ids.UIDs, st.Uid)), int(onDisk(c.ids.GIDs, st.Gid)), unix.AT_SYMLINK_NOFOLLOW)); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(dir, name, st.Mode&0o7777, 0); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(dir, name, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

func (c *treeCopy) enter(src, dst int, entry, full string) error {
	if err := unix.Mkdirat(dst, entry, 0o700); err != nil {
		return err
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	from, err := unix.Openat(src, entry, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	to, err := unix.Openat(dst, entry, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	return c.directory(from, to, full)
}

func (c *treeCopy) file(src, dst int, entry, full string) error {
	from, err := unix.Openat(src, entry, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	to, err := unix.Openat(dst, entry, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	bytes := from
	if c.data != nil && st.Size > 0 {
		if fd := c.data(full, st.Size); fd >= 0 {
			defer unix.Close(fd)
			bytes = fd
		}
	}
	if err := copyData(bytes, to, st.Size); err != nil {
		return err
	}
	return c.look(from, to)
}

// look gives one open file what another is like, but its bytes.
func (c *treeCopy) look(from, to int) error {
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	if err := keepGoing(unix.Fchown(to, int(onDisk(c.ids.UIDs, st.Uid)), int(onDisk(c.ids.GIDs, st.Gid)))); err != nil {
		return err
	}
	// After chown(2), which clears setuid bits and capabilities.
	if err := unix.Fchmod(to, st.Mode&0o7777); err != nil {
		return err
	}
	if err := copyAttributes(from, to); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/thread-self/fd/%d", to), []unix.Timespec{st.Atim, st.Mtim}, 0)
}

// keepGoing lets be that an owner has no number in this user namespace.
func keepGoing(err error) error {
	if err == unix.EINVAL {
		return nil
	}
	return err
}

// copyAttributes copies the extended attributes that can be had where the copy
// is.
func copyAttributes(from, to int) error {
	names := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := unix.Flistxattr(from, names)
	if err == unix.EOPNOTSUPP || n == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		size, err := unix.Fgetxattr(from, name, value)
		if err == unix.ENODATA {
			continue // some are listed and hidden
		}
		if err == nil {
			err = unix.Fsetxattr(to, name, value[:size], 0)
		}
		if err != nil && err != unix.EPERM && err != unix.EOPNOTSUPP {
			return fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	return nil
}
