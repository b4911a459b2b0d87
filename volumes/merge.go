package volumes

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// merger moves what is in one directory into another, which may have some of it.
// Both may belong to a container that runs: all is done by handles.
type merger struct {
	// replace puts files in the place of others, and makes one of two directories
	// of the same name; without it what is there stays.
	replace bool
	// foreign is for the file systems of plugins (foreignMove).
	foreign bool
}

// emptied merges all that is in a directory, which may be in the other one, and
// then removes it. With look the other gets what it was like before.
func (g merger) emptied(from, to string, look bool) error {
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
	var st unix.Statx_t
	if err := hostfs.Statx(src, "", &st); err != nil {
		return err
	}
	if err := g.children(src, dst, ""); err != nil {
		return err
	}
	if look {
		if err := g.adorn(src, dst); err != nil {
			return fmt.Errorf("%s: %w", to, err)
		}
	}
	if err := removeAll(from); err != nil {
		return err
	}
	if !look {
		return nil
	}
	// Moving has changed the times.
	return g.look().let(hostfs.Utimes(dst, "", hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime)))
}

func (g merger) children(src, dst int, at string) error {
	names, err := namesOf(src)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := g.one(src, dst, name, filepath.Join(at, name)); err != nil {
			return err
		}
	}
	return nil
}

func (g merger) one(src, dst int, name, full string) error {
	if g.foreign {
		return g.foreignMove(src, dst, name, full)
	}
	if !g.replace {
		err := hostfs.Rename(src, name, dst, name, unix.RENAME_NOREPLACE)
		if err != nil && err != unix.EEXIST {
			return &os.PathError{Op: "rename", Path: full, Err: err}
		}
		return nil
	}
	var fresh, old unix.Statx_t
	if err := hostfs.Statx(src, name, &fresh); err != nil {
		return &os.PathError{Op: "statx", Path: full, Err: err}
	}
	err := hostfs.Statx(dst, name, &old)
	if err != nil && err != unix.ENOENT {
		return &os.PathError{Op: "statx", Path: full, Err: err}
	}
	if err == nil {
		isDir, wasDir := fresh.Mode&unix.S_IFMT == unix.S_IFDIR, old.Mode&unix.S_IFMT == unix.S_IFDIR
		switch {
		case isDir && wasDir:
			return g.directory(src, dst, name, full)
		case wasDir:
			return fmt.Errorf("%s is a directory, and in the archive it is none: remove it first", full)
		case isDir: // rename(2) puts no directory in the place of a file
			if err := hostfs.Unlink(dst, name); err != nil && err != unix.ENOENT {
				return &os.PathError{Op: "remove", Path: full, Err: err}
			}
		}
	}
	if err := hostfs.Rename(src, name, dst, name, 0); err != nil {
		return &os.PathError{Op: "rename", Path: full, Err: err}
	}
	return nil
}

// directory makes one of two.
func (g merger) directory(src, dst int, name, full string) error {
	from, err := hostfs.Open(src, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: full, Err: err}
	}
	defer hostfs.Close(from)
	to, err := hostfs.Open(dst, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: full, Err: err}
	}
	defer hostfs.Close(to)
	var st unix.Statx_t
	if err := hostfs.Statx(from, "", &st); err != nil {
		return err
	}
	if err := g.children(from, to, full); err != nil {
		return err
	}
	if err := g.adorn(from, to); err != nil {
		return fmt.Errorf("%s: %w", full, err)
	}
	return g.look().let(hostfs.Utimes(to, "", hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime)))
}

func (g merger) look() adornment { return adornment{foreign: g.foreign} }

func (g merger) adorn(from, to int) error { return g.look().copy(from, "", to, "") }
