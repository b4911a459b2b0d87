package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Flags answers FS_IOC_GETFLAGS of a file or directory.
func (u *Union) Flags(n *Inode) (flags uint32, err error) {
	err = u.withFlags(n, func(fd int) error {
		flags, err = hostfs.GetFlags(fd)
		return err
	})
	return flags, err
}

// SetFlags is FS_IOC_SETFLAGS.
func (u *Union) SetFlags(n *Inode, flags uint32) error {
	return u.changeFlags(n, func(fd int) error { return hostfs.SetFlags(fd, flags) })
}

// Fsxattr answers FS_IOC_FSGETXATTR of a file or directory. The kernel asks
// for it before each change of flags (vfs_fileattr_set).
func (u *Union) Fsxattr(n *Inode, x *hostfs.Fsxattr) error {
	return u.withFlags(n, func(fd int) error { return hostfs.GetFsxattr(fd, x) })
}

// SetFsxattr is FS_IOC_FSSETXATTR.
func (u *Union) SetFsxattr(n *Inode, x *hostfs.Fsxattr) error {
	return u.changeFlags(n, func(fd int) error { return hostfs.SetFsxattr(fd, x) })
}

func (u *Union) changeFlags(n *Inode, f func(fd int) error) error {
	if n.dir == nil && !n.isRegular() {
		return unix.ENOTTY
	}
	if err := u.copyUp(n, inUpper, all); err != nil {
		return err
	}
	return u.withFlags(n, f)
}

// withFlags opens what has flags: files and directories alone.
func (u *Union) withFlags(n *Inode, f func(fd int) error) error {
	if n.dir == nil && !n.isRegular() {
		return unix.ENOTTY
	}
	return u.withMeta(n, func(p place) error {
		fd, err := openPlace(p, unix.O_RDONLY|unix.O_NONBLOCK)
		if err != nil {
			return err
		}
		defer hostfs.Close(fd)
		return f(fd)
	})
}
