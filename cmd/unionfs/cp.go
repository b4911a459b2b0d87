package main

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/runner"
)

func cpCommand(f *storeFlags) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "cp CONTAINER:PATH PATH | PATH CONTAINER:PATH",
		Short: "Copy files out of a container, or into it",
		Long: `Copy a file, or a directory with all that is in it. When the target is a directory
that is there the copy is put into it, else it gets the target's name. The
container need not run: its volumes, binds and images are where they are when it
does. For - in the place of a path an archive is written to standard output, or read
from standard input into a directory.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to := parseCopy(args[0]), parseCopy(args[1])
			if (from.container == "") == (to.container == "") {
				return usagef("one of both must be CONTAINER:PATH: %s %s", args[0], args[1])
			}
			h, err := f.containers()
			if err != nil {
				return err
			}
			c, err := h.Runner.Find(from.container + to.container)
			if err != nil {
				return err
			}
			return copyBetween(cmd, inContainer{cmd.Context(), h, &c}, from, to, follow)
		},
	}
	cmd.Flags().BoolP("archive", "a", false, "keep owners: what is done anyway, where it can be")
	addFollow(cmd, &follow)
	return cmd
}

func addFollow(cmd *cobra.Command, follow *bool) {
	cmd.Flags().BoolVarP(follow, "follow-link", "L", false, "copy what a symlink leads to, where the path is one")
}

// place is one side of a copy.
type place struct{ container, path string }

// parseCopy reads CONTAINER:PATH. A word that begins with . or / is a path
// whatever colons it has.
func parseCopy(word string) place {
	container, inside, ok := strings.Cut(word, ":")
	if !ok || container == "" || strings.HasPrefix(word, ".") || strings.Contains(container, "/") {
		return place{path: word}
	}
	return place{container, inside}
}

// files are those of a container, or of a volume.
type files interface {
	get(path string, follow bool, w io.Writer) error
	put(dir string, r io.Reader) error
	stat(path string) (exists, dir bool, err error)
}

type inContainer struct {
	ctx context.Context
	h   *house
	c   *runner.Container
}

func (in inContainer) get(path string, follow bool, w io.Writer) error {
	return in.h.Get(in.ctx, in.c, path, follow, w)
}

func (in inContainer) put(dir string, r io.Reader) error { return in.h.Put(in.ctx, in.c, dir, r) }

func (in inContainer) stat(path string) (exists, dir bool, err error) {
	return in.h.Stat(in.ctx, in.c, path)
}

// copyBetween copies out of files or into them: one of both places is there. follow
// copies what a symlink leads to under the symlink's name.
func copyBetween(cmd *cobra.Command, in files, from, to place, follow bool) error {
	if from.container != "" {
		return copyOut(cmd, in, from.path, to.path, follow)
	}
	return copyIn(cmd, in, from.path, to.path, follow)
}

// copyOut writes what is at a path of files to a local one.
func copyOut(cmd *cobra.Command, in files, from, to string, follow bool) error {
	if to == "-" {
		name := path.Base(path.Clean("/" + from))
		if strings.HasSuffix(from, "/.") {
			name = "."
		}
		return toFile(cmd.OutOrStdout(), "", func(w io.Writer) error {
			return fetch(in, from, follow, func(r io.Reader) error { return renamed(name, r, w) })
		})
	}
	if fi, err := os.Stat(to); err == nil && fi.IsDir() && !strings.HasSuffix(from, "/.") {
		to = filepath.Join(to, path.Base(path.Clean("/"+from)))
	}
	return fetch(in, from, follow, func(r io.Reader) error { return unpackTo(to, r) })
}

// fetch has an archive of a path of files taken.
func fetch(in files, from string, follow bool, take func(r io.Reader) error) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := in.get(from, follow, w)
		w.CloseWithError(err)
		done <- err
	}()
	err := take(r)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // what pads the archive
	}
	r.CloseWithError(io.ErrClosedPipe) // ends a Get that nobody reads
	// Waited for, whatever it says: it may be at work in a mount that this
	// process serves, and to end meanwhile would leave both for ever.
	if gerr := <-done; err == nil {
		err = gerr
	}
	return err
}

// copyIn puts a local path, or an archive from standard input, into files.
func copyIn(cmd *cobra.Command, in files, from, to string, follow bool) error {
	if from == "-" {
		return in.put(to, cmd.InOrStdin())
	}
	dir, name, err := targetIn(in, from, to)
	if err != nil {
		return err
	}
	if follow {
		if from, err = filepath.EvalSymlinks(from); err != nil {
			return err
		}
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(packFrom(from, name, w)) }()
	err = in.put(dir, r)
	r.CloseWithError(io.ErrClosedPipe) // ends a packing that nobody reads
	return err
}

// targetIn says into which directory of files the copy goes, under which name.
func targetIn(in files, from, to string) (dir, name string, err error) {
	exists, isDir, err := in.stat(to)
	if err != nil {
		return "", "", err
	}
	base := filepath.Base(filepath.Clean(from))
	switch {
	case isDir && strings.HasSuffix(from, "/."):
		return to, ".", nil
	case isDir:
		return to, base, nil
	case !exists && strings.HasSuffix(to, "/"):
		return "", "", fmt.Errorf("%s: no such directory there", to)
	}
	clean := path.Clean("/" + to)
	return path.Dir(clean), path.Base(clean), nil
}

// packFrom writes an archive of a local path, whose root gets the name.
func packFrom(from, name string, w io.Writer) error {
	t := tar.NewWriter(w)
	err := filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		return packEntry(t, file, path.Join(name, filepath.ToSlash(rel)))
	})
	if err == nil {
		err = t.Close()
	}
	return err
}

func packEntry(t *tar.Writer, file, name string) error {
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
	if err := t.WriteHeader(h); err != nil || !fi.Mode().IsRegular() {
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
