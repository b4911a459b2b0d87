package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Fsync puts a file's data (and unless dataOnly its metadata) on disk, and
// with them the directory entries that publish it.
func (u *Union) Fsync(n *Inode, dataOnly bool) error {
	if !u.syncs() || n.state.Load() == inLower {
		return nil
	}
	if n.dir != nil {
		return u.fsyncDir(n)
	}
	h, err := u.fileToSync(n)
	if err != nil {
		return err
	}
	if dataOnly && !n.unsynced.Load() {
		err = hostfs.Fdatasync(h.fd)
	} else {
		err = hostfs.Fsync(h.fd)
	}
	h.release()
	if err != nil {
		return err
	}
	return u.syncEntries(n)
}

// fileToSync opens the upper file even when its data is still below: its
// metadata is what there is to sync then.
func (u *Union) fileToSync(n *Inode) (*handle, error) {
	if n.state.Load() == inUpper {
		return u.file(n)
	}
	fd, err := u.openUpperFile(n)
	if err != nil {
		return nil, err
	}
	return pinned(fd), nil
}

func (u *Union) fsyncDir(n *Inode) error {
	fd := -1
	err := u.withMeta(n, func(p place) error {
		var err error
		fd, err = openPlace(p, unix.O_RDONLY|unix.O_DIRECTORY)
		return err
	})
	if err == errRemoved {
		return nil
	}
	if err != nil {
		return err
	}
	err = hostfs.Fsync(fd)
	hostfs.Close(fd)
	if err != nil {
		return err
	}
	return u.syncEntries(n)
}

// syncEntries syncs the directories that lead to n, up to the first whose own
// entry is known to be on disk.
func (u *Union) syncEntries(n *Inode) error {
	for n.unsynced.Swap(false) {
		u.tree.RLock()
		parent := n.parentNow()
		if parent == nil {
			u.tree.RUnlock()
			return nil
		}
		h, err := u.openDir(parent.dir.upper)
		u.tree.RUnlock()
		if err == nil {
			err = fsyncPath(h)
		}
		if err != nil {
			n.unsynced.Store(true)
			return err
		}
		n = parent
	}
	return nil
}

func fsyncPath(h *handle) error {
	defer h.release()
	fd, err := hostfs.Reopen(h.fd, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	return hostfs.Fsync(fd)
}

// Sync puts all of upper on disk.
func (u *Union) Sync() error {
	if u.upper == nil || !u.syncs() {
		return nil
	}
	fd, err := hostfs.Reopen(u.upper.fd, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	return hostfs.Syncfs(fd)
}

// Statfs describes the file system that takes the changes.
func (u *Union) Statfs(st *unix.Statfs_t) error {
	fd := u.lowers[0].fd
	if u.upper != nil {
		fd = u.upper.fd
	}
	err := hostfs.Statfs(fd, st)
	if err == nil && u.quota != nil {
		u.quota.awaitForgets(statfsPatience, func() bool { return false })
		u.quota.limitStatfs(st)
	}
	return err
}
