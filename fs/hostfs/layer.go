package hostfs

import "golang.org/x/sys/unix"

// OpenTreeClone answers a handle of a private clone of the mount at path,
// without the mounts below it (open_tree(2)). What is mounted over path later
// isn't seen through it. It wants CAP_SYS_ADMIN over the mount namespace.
//
// The clone is a mount of its own: link and rename between handles of two
// clones are EXDEV even on one file system.
func OpenTreeClone(path string) (int, error) {
	for {
		fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		switch err {
		case nil:
			return fd, nil
		case unix.EINTR:
		default:
			return -1, err
		}
	}
}

// OpenLayer opens the directory at a path that a user typed, and so follows
// symlinks: as a clone of its mount where allowed, else as it is. Upper and
// work directory mustn't be opened so one by one (see OpenTreeClone).
func OpenLayer(path string) (int, error) {
	if fd, err := OpenTreeClone(path); err == nil {
		var st unix.Statx_t
		if err = Statx(fd, "", &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			err = unix.ENOTDIR
		}
		if err != nil {
			Close(fd)
			return -1, err
		}
		return fd, nil
	}
	return openat(unix.AT_FDCWD, path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
}
