package driver

import (
	iofs "io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
)

// flush brings what is written to a mounted snapshot to where Diff reads it: a
// FUSE mount keeps written data in the page cache. A mount that is in no tree is
// for those to sync who have it.
func flush(n *layerstore.Snapshot) {
	fd, err := unix.Open(mountedAt(n).path(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return // not mounted, unmounted since, or unreachable
	}
	defer unix.Close(fd)
	_ = unix.Syncfs(fd) // what can't be written back, its writer has been told
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) == nil && st.Type == unix.FUSE_SUPER_MAGIC {
		awaitData(fd, n.Upper())
	}
}

// awaitData waits for the data of files in upper to be written back. syncfs(2) on
// a FUSE mount has begun it and, since Linux 6.18, doesn't wait for the end
// (AS_NO_DATA_INTEGRITY); sync_file_range(2) does, and asks the server nothing.
// Files that can't be opened, or are gone or another object by now, are none that
// this process could commit.
func awaitData(mount int, upper string) {
	_ = filepath.WalkDir(upper, func(path string, entry iofs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if rel, err := filepath.Rel(upper, path); err == nil {
			awaitFile(mount, rel)
		}
		return nil
	})
}

func awaitFile(mount int, name string) {
	fd, err := unix.Openat2(mount, name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	})
	if err != nil {
		return
	}
	defer unix.Close(fd)
	const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	_ = unix.SyncFileRange(fd, 0, 0, all) // an error is the writer's
}
