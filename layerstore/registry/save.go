package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/distribution/reference"

	"unionfs/layerstore"
)

// Format is how Save writes images.
type Format string

// The formats.
const (
	// DockerArchive is what docker save writes and everybody loads: plain
	// layers. Image ids stay, digests of manifests aren't in it.
	DockerArchive Format = "docker-archive"
	// OCIArchive is a tar of an OCI layout: everything as it is. Skopeo and
	// podman take one image with one name from it, whatever type its manifest
	// has; to pick one of several by name they want OCI manifests.
	OCIArchive Format = "oci-archive"
	// OCIDir is an OCI layout, a folder.
	OCIDir Format = "oci-dir"
)

// ParseFormat reads a format's name.
func ParseFormat(word string) (Format, error) {
	switch f := Format(word); f {
	case "":
		return DockerArchive, nil
	case DockerArchive, OCIArchive, OCIDir:
		return f, nil
	}
	return "", fmt.Errorf("%q is no format: there are %s, %s and %s", word, DockerArchive, OCIArchive, OCIDir)
}

// Target is where Save writes.
type Target struct {
	// Path is the file or folder to make; "" when there is a Writer. A file
	// is replaced when all of it is written; a folder must be new or empty.
	Path   string
	Writer io.Writer // for archives
	Format Format
}

// saved is one image to write.
type saved struct {
	layerstore.Found
	names []string // by which it was asked for
}

// Save writes images, asked for as Store.Find has it. An image that is asked
// for by name has that name in the archive. The same images in the same order
// give the same bytes.
func Save(ctx context.Context, store *layerstore.Store, whats []string, to Target, o Options) error {
	st, err := store.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	images, err := findAll(store, st, whats)
	if err != nil {
		return err
	}
	s := &saver{ctx: ctx, store: store, o: o}
	write := s.docker
	switch to.Format {
	case OCIArchive, OCIDir:
		write = s.layout
	case DockerArchive, "":
	default:
		_, err := ParseFormat(string(to.Format))
		return err
	}
	return to.with(func(out outlet) error {
		s.out = out
		return write(images)
	})
}

type saver struct {
	ctx   context.Context
	store *layerstore.Store
	out   outlet
	o     Options
}

// findAll finds images and keeps what they need from collection; one that is
// asked for twice comes once.
func findAll(store *layerstore.Store, st *layerstore.Stage, whats []string) ([]saved, error) {
	if len(whats) == 0 {
		return nil, errors.New("no image is named that should be saved")
	}
	var images []saved
	for _, what := range whats {
		f, err := store.Find(what)
		if err != nil {
			return nil, err
		}
		if err := holdImage(st, f); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(images, func(s saved) bool { return s.Manifest.Digest == f.Manifest.Digest })
		if i < 0 {
			i = len(images)
			images = append(images, saved{Found: f})
		}
		if f.Name != "" && !slices.Contains(images[i].names, f.Name) {
			images[i].names = append(images[i].names, f.Name)
		}
	}
	return images, nil
}

func holdImage(st *layerstore.Stage, f layerstore.Found) error {
	blobs := []layerstore.Digest{layerstore.Digest(f.ID), f.Manifest.Digest}
	for _, l := range f.Manifest.Layers {
		blobs = append(blobs, l.Blob)
	}
	return st.Hold(blobs, nil)
}

// taggable tells whether a name can stand in an archive: names with digests
// can't.
func taggable(name string) bool {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return false
	}
	_, digested := ref.(reference.Digested)
	return !digested
}

// with opens the target, lets write fill it, and makes it visible when that
// went well.
func (t Target) with(write func(outlet) error) error {
	switch {
	case t.Format == OCIDir && t.Path == "":
		return fmt.Errorf("%s is a folder and needs a path", OCIDir)
	case t.Format == OCIDir:
		return t.folder(write)
	case t.Path == "":
		return writeTar(t.Writer, write)
	}
	if fi, err := os.Stat(t.Path); err == nil && !fi.Mode().IsRegular() {
		return t.device(fi, write)
	}
	// Not os.CreateTemp's mode, but what the user's umask leaves.
	f, err := os.OpenFile(beside(t.Path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	err = writeTar(f, write)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), t.Path)
	}
	return err
}

// beside is a fresh name in the folder where path is.
func beside(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".unionfs-save-%016x", rand.Uint64()))
}

// device writes to what can't be replaced: a pipe, a tape.
func (t Target) device(fi fs.FileInfo, write func(outlet) error) error {
	if fi.IsDir() {
		return fmt.Errorf("%s is a folder: name a file in it", t.Path)
	}
	f, err := os.OpenFile(t.Path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = writeTar(f, write)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func (t Target) folder(write func(outlet) error) error {
	path := filepath.Clean(t.Path)
	if names, err := os.ReadDir(path); err == nil && len(names) > 0 {
		return fmt.Errorf("%s is not empty: name a new folder", t.Path)
	}
	dir := beside(path)
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	defer os.RemoveAll(dir) // gone already when all went well
	if err := write(&folderOutlet{dir: dir}); err != nil {
		return err
	}
	// An empty folder in that place is replaced (rename(2)).
	return os.Rename(dir, path)
}
