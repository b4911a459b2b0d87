package volumes

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// copyLook gives one directory what another is like: owner, mode, attributes and
// times.
func copyLook(from, to string) error {
	src, err := openDir(from)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	defer hostfs.Close(src)
	dst, err := openDir(to)
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	defer hostfs.Close(dst)
	if err := adorn(src, "", dst, ""); err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	return nil
}

// openDir opens a directory whose last name isn't followed: volumes belong to
// containers, who may put a symlink anywhere in them at any time.
func openDir(path string) (int, error) {
	return hostfs.Open(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
}

// adorn copies what a file is like, but its data.
func adorn(src int, from string, dst int, to string) error {
	return adornment{}.copy(src, from, dst, to)
}

// adornment is how a file gets what another is like.
type adornment struct {
	owner   func(uid, gid uint32) (diskUID, diskGID uint32) // nil keeps owners
	foreign bool                                            // the file system may lack any of it
}

func (a adornment) copy(src int, from string, dst int, to string) error {
	var st unix.Statx_t
	if err := hostfs.Statx(src, from, &st); err != nil {
		return err
	}
	uid, gid := st.Uid, st.Gid
	if a.owner != nil {
		uid, gid = a.owner(uid, gid)
	}
	// An owner without a number in this user namespace can't be had.
	if err := a.let(hostfs.Chown(dst, to, uid, gid)); err != nil && err != unix.EINVAL && err != unix.EPERM {
		return err
	}
	// After chown(2), which clears setuid bits and capabilities.
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := a.let(hostfs.Chmod(dst, to, uint32(st.Mode)&0o7777)); err != nil {
			return err
		}
	}
	if err := a.let(copyAttributes(src, from, dst, to)); err != nil {
		return err
	}
	return a.let(hostfs.Utimes(dst, to, hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime)))
}

// let lets be that a foreign file system lacks something.
func (a adornment) let(err error) error {
	if a.foreign && lacks(err) {
		return nil
	}
	return err
}

// lacks tells the answers of file systems that don't know what they are asked.
func lacks(err error) bool {
	for _, errno := range []error{unix.ENOSYS, unix.EOPNOTSUPP, unix.EPERM, unix.EINVAL, unix.ENOTTY} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// copyAttributes copies the extended attributes that can be had where the copy is.
func copyAttributes(src int, from string, dst int, to string) error {
	names, err := hostfs.ListxattrAll(src, from)
	if err == unix.EOPNOTSUPP {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if isMark(name) {
			continue
		}
		value, err := hostfs.GetxattrAll(src, from, name)
		if err == unix.ENODATA {
			continue // some are listed and hidden
		}
		if err == nil {
			err = hostfs.Setxattr(dst, to, name, value, 0)
		}
		if err != nil && err != unix.EPERM && err != unix.EOPNOTSUPP {
			return fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	return nil
}

// isMark tells the attributes by which a union remembers what is below: they are
// about one layer.
func isMark(name string) bool {
	return strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay.") || strings.HasPrefix(name, "user.fuseoverlayfs.")
}
