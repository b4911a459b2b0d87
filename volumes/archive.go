package volumes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/layerstore/layertar"
)

// importPrefix hides in a volume what is about to become its files.
const importPrefix = ".unionfs-import-"

// Export writes what a use's volume has as an archive.
func (u *Use) Export(ctx context.Context, w io.Writer) error {
	fd, err := openDir(u.Path())
	if err != nil {
		return &os.PathError{Op: "open", Path: u.Path(), Err: err}
	}
	defer hostfs.Close(fd)
	return layertar.PackTree(ctx, w, fd, layertar.Plain)
}

// Import puts the files of an archive into a use's volume, beside what is there
// and in the place of what has the same names. The archive is unpacked aside
// first: one that is damaged changes nothing.
//
// What is done here may be in a mount that this process serves: os.Open, which
// asks epoll(7) about what it opens, could wait for ever.
func (u *Use) Import(ctx context.Context, in io.Reader) error {
	place := u.Path()
	if err := sweepImports(place); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(place, importPrefix)
	if err != nil {
		return err
	}
	fd, err := openDir(aside)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	// A failure means that others may take it for a dead process's, no more.
	_ = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	summary, err := u.unpack(ctx, fd, in)
	if err == nil {
		err = mergeChildren(aside, place)
	}
	if err == nil && summary.Root {
		err = copyLook(aside, place)
	}
	if err == nil {
		err = u.s.noteFilled(u.name)
	}
	return errors.Join(err, removeAll(aside))
}

// sweepImports removes what a killed import has left.
func sweepImports(place string) error {
	names, err := namesIn(place)
	for _, name := range names {
		if !strings.HasPrefix(name, importPrefix) {
			continue
		}
		path := filepath.Join(place, name)
		fd, oerr := openDir(path)
		if oerr != nil {
			continue // it has just gone
		}
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			err = errors.Join(err, removeAll(path))
		}
		hostfs.Close(fd)
	}
	return err
}

func (u *Use) unpack(ctx context.Context, dir int, in io.Reader) (layertar.Summary, error) {
	summary, err := layertar.Unpack(ctx, in, dir, layertar.UnpackOptions{Warn: u.s.warn})
	if err != nil {
		return summary, err
	}
	if summary.Entries == 0 {
		return summary, errors.New("the archive is empty")
	}
	return summary, unix.Syncfs(dir)
}

// noteFilled keeps a volume from being filled from an image.
func (s *Store) noteFilled(name string) error {
	return s.withVolume(name, s.setFilled)
}

// merge moves what is in one directory into another, which may have some of it:
// directories become one, other files are replaced.
func merge(from, to string) error {
	if err := mergeChildren(from, to); err != nil {
		return err
	}
	return copyLook(from, to)
}

func mergeChildren(from, to string) error {
	names, err := namesIn(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := mergeOne(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

func mergeOne(from, to string) error {
	old, err := os.Lstat(to)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err == nil && old.IsDir() {
		fresh, err := os.Lstat(from)
		if err != nil {
			return err
		}
		if fresh.IsDir() {
			return merge(from, to)
		}
		return fmt.Errorf("%s is a directory, and in the archive it is none: remove it first", to)
	}
	if err == nil {
		// rename(2) puts no directory in the place of a file.
		if fresh, ferr := os.Lstat(from); ferr == nil && fresh.IsDir() {
			if err := os.Remove(to); err != nil {
				return err
			}
		}
	}
	return os.Rename(from, to)
}
