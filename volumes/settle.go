package volumes

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// settle finishes what a process that died left half done in a volume. The
// caller has it locked.
func (s *Store) settle(m *meta) error {
	if err := s.settleMove(m); err != nil {
		return err
	}
	if err := s.removeTemporary(m.Name); err != nil || m.Driver != Local {
		return err
	}
	if err := removeAll(s.path(m.Name, fillNew)); err != nil {
		return err
	}
	_, err := os.Lstat(s.path(m.Name, fillReady))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.finishFill(m, s.path(m.Name, fillReady), s.fillTarget(m))
}

// tidy finishes what dead processes left half done among a volume's own files, at
// place. The caller has the volume locked, and is its only user.
func (s *Store) tidy(m *meta, place string) error {
	if m.Importing {
		if err := sweepImports(place); err != nil {
			return err
		}
		m.Importing = false
		if err := s.writeMeta(m); err != nil {
			return err
		}
	}
	if m.Filled || !s.hasOwnMount(m) {
		return nil
	}
	err := removeAll(filepath.Join(place, fillPrefix+fillNew))
	if errors.Is(err, unix.EROFS) {
		return nil // nothing can have been left
	}
	return err
}

// removeTemporary removes the files of writeJSON that never got their names.
func (s *Store) removeTemporary(volume string) error {
	for _, dir := range []string{s.path(volume), s.path(volume, usesDir)} {
		names, err := namesIn(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if !strings.HasPrefix(name, temporary) {
				continue
			}
			if err := removeAll(dir + "/" + name); err != nil {
				return err
			}
		}
	}
	return nil
}
