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

// fillTarget is the directory of the store that a plain volume's files are in.
func (s *Store) fillTarget(m *meta) string {
	if m.Stack != nil {
		return s.layerTree(m.Stack.Top)
	}
	return s.path(m.Name, dataDir)
}

// Filling puts into an empty directory what a new volume begins with, and makes
// the directory what the volume's root is to be like. No is the answer when there
// was nothing to put there. A foreign directory is a plugin's (CopyOptions).
type Filling func(dir int, foreign bool) (filled bool, err error)

// Fill puts something into a new volume, once, all or nothing. Nothing happens
// when the volume has files, or had some.
func (u *Use) Fill(_ context.Context, fill Filling) error {
	return u.s.withVolume(u.name, func(m *meta) error {
		if m.Filled {
			return nil
		}
		if m.Driver != Local {
			return u.s.fillForeign(m, u.path, fill)
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

func (s *Store) fill(m *meta, target, fresh, ready string, fill Filling) error {
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
	filled, err := fillAside(fresh, fill, false)
	if err != nil || !filled {
		return errors.Join(err, removeAll(fresh))
	}
	if err := os.Rename(fresh, ready); err != nil {
		return err
	}
	return s.finishFill(m, ready, target)
}

// fillAside has a new directory filled, and on disk.
func fillAside(dir string, fill Filling, foreign bool) (filled bool, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return false, err
	}
	d, err := openDir(dir)
	if err != nil {
		return false, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer hostfs.Close(d)
	filled, err = fill(d, foreign)
	if err != nil || !filled {
		return false, err
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
