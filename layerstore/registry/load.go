package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"unionfs/layerstore"
)

// Loaded is an image that Load brought.
type Loaded struct {
	layerstore.Image
	Manifest layerstore.Digest
	// Names are those that it has now because of the source, whole.
	Names []string
}

// Load brings the images of an archive or a layout into the store: what
// docker save, podman save, skopeo and buildx write, old and new, plain or
// compressed. On an error the images before it are in the store.
func Load(ctx context.Context, store *layerstore.Store, from Source, o Options) ([]Loaded, error) {
	st, err := store.Begin()
	if err != nil {
		return nil, err
	}
	defer st.Close()
	in, err := from.open(ctx, st)
	if err != nil {
		return nil, sourceError(from, err)
	}
	defer in.Close()
	l := &loader{store: store, st: st, in: in, from: from, o: o}
	if err := l.load(ctx); err != nil {
		return l.out, sourceError(from, err)
	}
	return l.out, nil
}

func sourceError(from Source, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && path.Path == from.Path {
		err = path.Err
	}
	return fmt.Errorf("%s: %w", from, err)
}

type loader struct {
	store *layerstore.Store
	st    *layerstore.Stage
	in    files
	from  Source
	o     Options
	out   []Loaded
}

// load looks at what kind of archive it is by the file that each kind must
// have.
func (l *loader) load(ctx context.Context) error {
	for _, kind := range [...]struct {
		file string
		load func(context.Context, []byte) error
	}{
		{"manifest.json", l.loadDocker}, // also when it is an OCI layout too
		{"index.json", l.loadLayout},
		{"repositories", l.loadLegacy},
	} {
		raw, err := readFile(l.in, kind.file, maxConfig)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := kind.load(ctx, raw); err != nil {
			return err
		}
		if len(l.out) == 0 {
			return l.none()
		}
		return nil
	}
	return errors.New("it holds no image: it has neither manifest.json, index.json nor repositories (a root file system comes in by unionfs import)")
}

func (l *loader) none() error {
	if l.from.Ref != "" {
		return fmt.Errorf("it has no image %q", l.from.Ref)
	}
	return errors.New("it holds no image")
}

// done notes an image; the same one again adds names.
func (l *loader) done(img layerstore.Image, manifest layerstore.Digest, names []string) {
	for i := range l.out {
		if l.out[i].ID == img.ID && l.out[i].Manifest == manifest {
			l.out[i].Names = append(l.out[i].Names, names...)
			return
		}
	}
	l.out = append(l.out, Loaded{img, manifest, names})
}

// wants tells whether an image is asked for, which has these names, or words
// that may be names.
func (l *loader) wants(words []string) bool {
	if l.from.Ref == "" || slices.Contains(words, l.from.Ref) {
		return true
	}
	ref, err := layerstore.Normalize(l.from.Ref)
	return err == nil && slices.ContainsFunc(words, func(word string) bool {
		whole, err := layerstore.Normalize(word)
		return err == nil && whole == ref
	})
}

func (l *loader) bringer(what string) *bringer {
	return &bringer{store: l.store, st: l.st, from: l, what: what, o: l.o}
}
