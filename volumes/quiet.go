package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// quiet makes sure that nobody writes to a volume without uses: its mount and its
// server are gone.
func (s *Store) quiet(ctx context.Context, m *meta) error {
	if err := s.unmountUnused(m); err != nil {
		return err
	}
	data := s.path(m.Name, dataDir)
	mounted, err := isMountpoint(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if mounted {
		return fmt.Errorf("volume %q is mounted on %s, where somebody is busy: end that first", m.Name, data)
	}
	return awaitServer(ctx, m.Name, s.serverLock(m))
}

// bringHome has all that was written to a served volume in its top. syncfs(2)
// begins that, and doesn't wait for it where a process serves the file system;
// fsync(2) of a file does.
func (s *Store) bringHome(m *meta) error {
	data := s.path(m.Name, dataDir)
	mounted, err := isMountpoint(data)
	if err != nil {
		return err
	}
	if !mounted {
		if !isHeld(s.serverLock(m)) {
			return nil // nobody has it
		}
		return fmt.Errorf("volume %q is in use where this process can't see it, and may not be whole on disk: end its users first", m.Name)
	}
	mount, err := openDir(data)
	if err != nil {
		return &os.PathError{Op: "open", Path: data, Err: err}
	}
	defer hostfs.Close(mount)
	top, err := openDir(s.fillTarget(m))
	if err != nil {
		return err
	}
	defer hostfs.Close(top)
	if err := unix.Syncfs(mount); err != nil {
		return err
	}
	return syncFiles(mount, top)
}

// syncFiles syncs each file of the mount that the top has.
func syncFiles(mount, top int) error {
	names, err := namesOf(top)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := syncFile(mount, top, name); err != nil && err != unix.ENOENT && err != unix.ENOTDIR && err != unix.ELOOP {
			return &os.PathError{Op: "sync", Path: name, Err: err} // else it has just been replaced
		}
	}
	return nil
}

func syncFile(mount, top int, name string) error {
	var st unix.Statx_t
	if err := hostfs.Statx(top, name, &st); err != nil {
		return err
	}
	flags := unix.O_RDONLY | unix.O_NONBLOCK
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		flags |= unix.O_DIRECTORY
	default:
		return nil
	}
	fd, err := hostfs.Open(mount, name, flags, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	if flags&unix.O_DIRECTORY == 0 {
		return hostfs.Fsync(fd)
	}
	below, err := hostfs.Open(top, name, flags, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(below)
	return syncFiles(fd, below)
}
