package volumes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// What a plugin keeps can't be made aside and be the volume by one rename: it is
// a file system that we don't know, and others may have it mounted elsewhere. So
// the copy is made in a hidden directory of the volume, whose name is noted in
// meta.json before it is there. When the copy is whole that is noted too, and its
// files move into the volume. Who dies meanwhile leaves the note, and the next use
// removes the copy, or moves the rest of it. A volume is never touched in which
// something else is.

// foreignFill is the note.
type foreignFill struct {
	Dir   string `json:"dir"`
	Whole bool   `json:"whole,omitempty"`
}

func (s *Store) fillForeign(m *meta, place string, fill Filling) error {
	names, err := namesIn(place)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != "lost+found" { // a new file system has it
			return s.setFilled(m)
		}
	}
	m.Foreign = &foreignFill{Dir: fillPrefix + fillNew + "-" + randomName()[:12]}
	if err := s.writeMeta(m); err != nil {
		return err
	}
	filled, err := fillAside(filepath.Join(place, m.Foreign.Dir), fill, true)
	if cannotWrite(err, m.Foreign.Dir) {
		s.warn(fmt.Sprintf("volume %s is empty and isn't filled from the image: %v", m.Name, err))
		err = nil
	}
	if err != nil || !filled {
		return errors.Join(err, s.settleForeign(m, place))
	}
	m.Foreign.Whole = true
	if err := s.writeMeta(m); err != nil {
		return err
	}
	return s.settleForeign(m, place)
}

// cannotWrite tells that not even the directory for the copy could be made, in a
// volume that is read-only, or another user's.
func cannotWrite(err error, dir string) bool {
	var at *fs.PathError
	return errors.As(err, &at) && at.Op == "mkdir" && filepath.Base(at.Path) == dir &&
		(errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS))
}

// settleForeign ends a filling of a plugin's volume, which is mounted at place:
// the copy that isn't whole is removed, the whole one moves into the volume.
func (s *Store) settleForeign(m *meta, place string) error {
	if m.Foreign == nil {
		return nil
	}
	aside := filepath.Join(place, m.Foreign.Dir)
	if m.Foreign.Whole {
		err := merger{foreign: true}.emptied(aside, place, true)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was removed as the last step
			return err
		}
		m.Filled = true
	} else if err := removeAll(aside); err != nil && !errors.Is(err, unix.EROFS) { // then it never was
		return err
	}
	m.Foreign = nil
	return s.writeMeta(m)
}

// foreignMove is rename(2) that replaces nothing, where the file system may not
// know that flag. Directories are made anew: there are file systems that can't
// move them, and rclone loses what is in them and isn't written back yet. What
// another user has made meanwhile stays.
func (g merger) foreignMove(src, dst int, name, full string) error {
	isDir, err := isDirectory(src, name)
	if err == nil && isDir {
		return g.foreignDirectory(src, dst, name, full)
	}
	if err == nil {
		err = renameNew(src, name, dst, name)
	}
	if err != nil && err != unix.EEXIST {
		return &os.PathError{Op: "rename", Path: full, Err: err}
	}
	return nil
}

func (g merger) foreignDirectory(src, dst int, name, full string) error {
	err := hostfs.Mkdir(dst, name, 0o700)
	if err == unix.EEXIST { // by an attempt before, or by another user
		isDir, err := isDirectory(dst, name)
		if err != nil || !isDir {
			return err
		}
	} else if err != nil {
		return &os.PathError{Op: "mkdir", Path: full, Err: err}
	}
	return g.directory(src, dst, name, full)
}

func renameNew(src int, from string, dst int, to string) error {
	err := hostfs.Rename(src, from, dst, to, unix.RENAME_NOREPLACE)
	if err != unix.EINVAL && err != unix.ENOSYS {
		return err
	}
	var st unix.Statx_t
	switch err := hostfs.Statx(dst, to, &st); err {
	case nil:
		return unix.EEXIST
	case unix.ENOENT:
		return hostfs.Rename(src, from, dst, to, 0)
	default:
		return err
	}
}

func isDirectory(dir int, name string) (bool, error) {
	var st unix.Statx_t
	err := hostfs.Statx(dir, name, &st)
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, err
}
