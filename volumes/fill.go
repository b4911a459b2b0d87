package volumes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// A volume is filled in two steps: all is made in fillNew, which gets the name
// fillReady when it is whole; then each of its names moves into the volume. Who
// dies in the first step leaves nothing, in the second what the next command
// finishes. The volume's own directory stays the same: others may have it
// mounted.
const (
	fillNew   = "fill.new"
	fillReady = "fill"
	// fillPrefix hides both where they must be in the volume, because it is a
	// file system of its own.
	fillPrefix = ".unionfs-"
)

// fillSecond is a time that no file has: a directory that still has it wasn't
// touched.
const fillSecond = 7

// fillTarget is the directory of the store that a plain volume's files are in.
func (s *Store) fillTarget(m *meta) string {
	if m.Stack != nil {
		return s.layerTree(m.Stack.Top)
	}
	return s.path(m.Name, dataDir)
}

// Fill puts something into a new volume, once: fill gets a directory that is
// empty, and what it makes there, and of it, is the volume's, all or nothing.
// Nothing happens when the volume has files, or had some.
func (u *Use) Fill(_ context.Context, fill func(dir int) error) error {
	return u.s.withVolume(u.name, func(m *meta) error {
		if m.Driver != Local || m.Filled {
			return nil
		}
		place, base, prefix := u.dir(), u.s.path(m.Name), ""
		if u.s.hasOwnMount(m) {
			base, prefix = place, fillPrefix
		}
		return u.s.fill(m, place, filepath.Join(base, prefix+fillNew), filepath.Join(base, prefix+fillReady), fill)
	})
}

func (s *Store) hasOwnMount(m *meta) bool {
	return m.Stack != nil || m.Options["type"] != "" || m.Options["device"] != "" || m.Options["o"] != ""
}

func (s *Store) fill(m *meta, target, fresh, ready string, fill func(dir int) error) error {
	if _, err := os.Lstat(ready); err == nil {
		return s.finishFill(m, ready, target)
	}
	if err := removeAll(fresh); err != nil {
		return err
	}
	empty, err := isEmpty(target)
	if err != nil {
		return err
	}
	if !empty {
		return s.setFilled(m)
	}
	touched, err := s.fillAside(fresh, fill)
	if err != nil || !touched {
		return errors.Join(err, removeAll(fresh))
	}
	if err := os.Rename(fresh, ready); err != nil {
		return err
	}
	return s.finishFill(m, ready, target)
}

// fillAside has a directory filled, and on disk.
func (s *Store) fillAside(dir string, fill func(dir int) error) (touched bool, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return false, err
	}
	untouched := unix.Timespec{Sec: fillSecond, Nsec: fillSecond}
	if err := hostfs.Utimes(unix.AT_FDCWD, dir, untouched, untouched); err != nil {
		return false, err
	}
	d, err := openDir(dir)
	if err != nil {
		return false, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer hostfs.Close(d)
	if err := fill(d); err != nil {
		return false, err
	}
	var st unix.Statx_t
	if err := hostfs.Statx(d, "", &st); err != nil {
		return false, err
	}
	if hostfs.Timespec(st.Mtime) == untouched {
		return false, nil
	}
	return true, unix.Syncfs(d)
}

// finishFill moves what is ready into the volume. What another user has made there
// meanwhile stays. After a crash in the middle the root's times are that day's.
func (s *Store) finishFill(m *meta, ready, target string) error {
	if err := (merger{}).emptied(ready, target, true); err != nil {
		return err
	}
	return s.setFilled(m)
}

func (s *Store) setFilled(m *meta) error {
	if m.Filled {
		return nil
	}
	m.Filled = true
	return s.writeMeta(m)
}

// isEmpty tells whether nothing but what a file system has by itself, and what we
// stage in it, is in a directory.
func isEmpty(dir string) (bool, error) {
	names, err := namesIn(dir)
	for _, name := range names {
		if name != "lost+found" && !strings.HasPrefix(name, fillPrefix) {
			return false, err
		}
	}
	return true, err
}
