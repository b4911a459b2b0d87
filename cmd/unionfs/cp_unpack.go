package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// unpacking makes what an archive holds on this side. What is in the archive is the
// container's, and is kept from leading elsewhere.
type unpacking struct {
	root *os.Root
	// dirs get their modes and times when all is in them.
	dirs []unpackedDir
}

type unpackedDir struct {
	name string
	h    *tar.Header
}

// unpackTo makes what an archive holds at a path: its root has the path's name.
func unpackTo(to string, in io.Reader) error {
	parent, err := os.OpenRoot(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer parent.Close()
	u := &unpacking{root: parent}
	base := filepath.Base(to)
	for t := tar.NewReader(in); ; {
		h, err := t.Next()
		if err == io.EOF {
			return u.finish()
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeLink {
			h.Linkname = path.Join(base, path.Clean("/"+h.Linkname))
		}
		name := path.Join(base, path.Clean("/"+h.Name))
		if err := u.entry(name, h, t); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(filepath.Dir(to), name), err)
		}
	}
}

// finish gives directories their modes and times, the deepest first.
func (u *unpacking) finish() error {
	for _, d := range slices.Backward(u.dirs) {
		if err := u.root.Chmod(d.name, fs.FileMode(d.h.Mode&0o777)); err != nil {
			return err
		}
		if err := u.root.Chtimes(d.name, d.h.ModTime, d.h.ModTime); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacking) entry(name string, h *tar.Header, body io.Reader) error {
	if old, err := u.root.Lstat(name); err == nil && old.IsDir() != (h.Typeflag == tar.TypeDir) {
		if old.IsDir() {
			return errors.New("a directory is there, and what comes is none")
		}
		return errors.New("a file is there, and what comes is a directory")
	}
	switch h.Typeflag {
	case tar.TypeDir:
		err := u.root.Mkdir(name, fs.FileMode(h.Mode&0o777)|0o700)
		if err == nil { // one that was there stays as it is
			u.dirs = append(u.dirs, unpackedDir{name, h})
		}
		if errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return err
	case tar.TypeReg:
		return u.file(name, h, body)
	case tar.TypeLink:
		if err := u.remove(name); err != nil {
			return err
		}
		return u.root.Link(h.Linkname, name)
	case tar.TypeSymlink:
		if err := u.remove(name); err != nil {
			return err
		}
		return u.root.Symlink(h.Linkname, name)
	}
	warn(name + " is left out: it is no file, directory or symlink")
	return nil
}

func (u *unpacking) file(name string, h *tar.Header, body io.Reader) error {
	if err := u.remove(name); err != nil {
		return err
	}
	mode := fs.FileMode(h.Mode & 0o777)
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, body)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = u.root.Chmod(name, mode)
	}
	if err == nil {
		err = u.root.Chtimes(name, h.ModTime, h.ModTime)
	}
	return err
}

func (u *unpacking) remove(name string) error {
	err := u.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
