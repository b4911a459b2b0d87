package main

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// packFrom writes an archive of a local path, whose root gets the name.
func packFrom(from, name string, w io.Writer) error {
	t := tar.NewWriter(w)
	first := map[inode]string{}
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		return packEntry(t, file, path.Join(name, filepath.ToSlash(rel)), first)
	})
	if err == nil {
		err = t.Close()
	}
	return err
}

// inode is what the names of one file have in common.
type inode struct{ dev, ino uint64 }

// packEntry writes one; first are the first names of files that have several.
func packEntry(t *tar.Writer, file, name string, first map[inode]string) error {
	fi, err := os.Lstat(file)
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeSocket != 0 {
		return nil
	}
	target := ""
	if fi.Mode()&os.ModeSymlink != 0 {
		if target, err = os.Readlink(file); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(fi, target)
	if err != nil {
		return err
	}
	h.Name, h.Format = name, tar.FormatPAX
	h.Uname, h.Gname = "", ""
	if fi.IsDir() {
		h.Name += "/"
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && fi.Mode().IsRegular() && st.Nlink > 1 {
		id := inode{st.Dev, st.Ino}
		if h.Linkname, ok = first[id]; ok {
			h.Typeflag, h.Size = tar.TypeLink, 0
		} else {
			first[id] = name
		}
	}
	if err := t.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	in, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(t, in)
	return err
}
