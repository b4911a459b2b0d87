package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/layerstore"
	"unionfs/runner"
)

func cpCommand(f *storeFlags) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "cp CONTAINER:PATH PATH | PATH CONTAINER:PATH",
		Short: "Copy files out of a container, or into it",
		Long: `Copy a file, or a directory with all that is in it. When the target is a directory
that is there the copy is put into it, else it gets the target's name, and a symlink
there is followed. The
container need not run: its volumes, binds and images are where they are when it
does. For - in the place of a path a tar is written to standard output, or one (plain,
gzip, zstd, bzip2 or xz) read from standard input into a directory that is there.`,
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
	addFollow(cmd, &follow)
	cmd.Flags().BoolP("archive", "a", false, "keep owners: what is done anyway, where it can be")
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
	stat(path string) (runner.PathInfo, error)
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

func (in inContainer) stat(path string) (runner.PathInfo, error) {
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
	name := path.Base(path.Clean("/" + from))
	if strings.HasSuffix(from, "/.") {
		name = "."
	}
	if to == "-" {
		return toFile(cmd.OutOrStdout(), "", func(w io.Writer) error {
			return fetch(in, from, follow, func(r io.Reader) error { return renamed(name, r, w) })
		})
	}
	to, err := targetHere(in, from, to, name)
	if err != nil {
		return err
	}
	return fetch(in, from, follow, func(r io.Reader) error { return unpackTo(to, r) })
}

// targetHere says which local path the copy gets.
func targetHere(in files, from, to, name string) (string, error) {
	fi, err := os.Stat(to)
	switch {
	case err == nil && fi.IsDir():
		to, err = filepath.EvalSymlinks(to)
		return filepath.Join(to, name), err
	case err == nil && !fi.Mode().IsRegular():
		return "", fmt.Errorf("%s is neither a file nor a directory: nothing can be copied there", to)
	case err == nil:
		return filepath.EvalSymlinks(to)
	case errors.Is(err, unix.ENOTDIR):
		return "", err
	case strings.HasSuffix(to, "/"):
		st, err := in.stat(from)
		if err != nil {
			return "", err
		}
		if !st.Dir {
			return "", fmt.Errorf("%s: there is no such directory", to)
		}
	}
	return filepath.Clean(to), nil
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
		return putArchive(cmd, in, to)
	}
	base := filepath.Base(filepath.Clean(from))
	if strings.HasSuffix(from, "/.") {
		base = "."
	}
	if follow {
		var err error
		if from, err = filepath.EvalSymlinks(from); err != nil {
			return err
		}
	}
	fi, err := os.Lstat(from)
	if err != nil {
		return err
	}
	dir, name, err := targetIn(in, base, fi.IsDir(), to)
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(packFrom(from, name, w)) }()
	err = in.put(dir, r)
	r.CloseWithError(io.ErrClosedPipe) // ends a packing that nobody reads
	return err
}

// putArchive unpacks standard input, which may be packed, into a directory of files.
func putArchive(cmd *cobra.Command, in files, to string) error {
	st, err := in.stat(to)
	if err != nil {
		return err
	}
	if !st.Dir {
		return fmt.Errorf("%s: a directory that is there is expected, to unpack an archive into", to)
	}
	plain, err := layerstore.Decompress(cmd.InOrStdin())
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	defer plain.Close()
	return in.put(to, plain)
}

// targetIn says into which directory of files a copy of what is called base goes, and
// under which name. Who copies to a symlink's path writes to where it leads, as with
// cp(1) and docker.
func targetIn(in files, base string, isDir bool, to string) (dir, name string, err error) {
	st, err := in.stat(to)
	if err != nil {
		return "", "", err
	}
	switch slash := strings.HasSuffix(to, "/"); {
	case st.Dir:
		return to, base, nil
	case st.Exists && slash:
		return "", "", fmt.Errorf("%s is no directory there", to)
	case st.Exists && isDir:
		return "", "", fmt.Errorf("%s is a file there, and what comes is a directory", to)
	case !st.Exists && slash && !isDir:
		return "", "", fmt.Errorf("%s: no such directory there", to)
	}
	parent := path.Dir(st.Path)
	if !st.Exists {
		if above, err := in.stat(parent); err != nil || !above.Dir {
			return "", "", errors.Join(err, fmt.Errorf("%s: there is no directory %s there", to, parent))
		}
	}
	return parent, path.Base(st.Path), nil
}
