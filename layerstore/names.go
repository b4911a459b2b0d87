package layerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// Normalize turns a name as users type it into the whole one: docker's rules,
// "debian" is "docker.io/library/debian:latest".
func Normalize(name string) (string, error) {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", fmt.Errorf("%q is no image name: %w", name, err)
	}
	return reference.TagNameOnly(ref).String(), nil
}

// Familiar is Normalize's inverse, for tables.
func Familiar(name string) string {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return name
	}
	return reference.FamiliarString(ref)
}

// readNames reads names.json.
func (s *Store) readNames() (map[string]named, error) {
	names := map[string]named{}
	err := readJSON(s.path("names.json"), &names)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return names, err
}

// changeNames rewrites names.json. The caller holds the store's lock.
func (s *Store) changeNames(change func(names map[string]named) error) error {
	names, err := s.readNames()
	if err != nil {
		return err
	}
	if err := change(names); err != nil {
		return err
	}
	return writeJSON(s.path("names.json"), names)
}

func namesOf(names map[string]named, id ImageID) []string {
	var out []string
	for name, n := range names {
		if n.Image == id {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// UnknownImageError says that nothing in the store has the name.
type UnknownImageError struct{ Name string }

func (e *UnknownImageError) Error() string {
	return fmt.Sprintf("no image %q in the store: unionfs images lists them, unionfs pull fetches one", e.Name)
}

// Found is an image and how it was asked for.
type Found struct {
	Image
	// Name is the whole name when it was asked for by name, else "".
	Name string
	// Manifest is the one that the name points at, or the image's first.
	Manifest Manifest
}

// Find looks for an image by name, by name@digest, or by the beginning of its
// id.
func (s *Store) Find(what string) (Found, error) {
	names, err := s.readNames()
	if err != nil {
		return Found{}, err
	}
	if whole, err := Normalize(what); err == nil {
		if n, ok := names[whole]; ok {
			return s.found(n.Image, whole, n.Manifest, names)
		}
	}
	id, err := s.byID(what)
	if err != nil {
		return Found{}, err
	}
	return s.found(id, "", "", names)
}

func (s *Store) found(id ImageID, name string, manifest Digest, names map[string]named) (Found, error) {
	img, err := s.readImage(id)
	if err != nil {
		return Found{}, fmt.Errorf("image %s: %w", id.Short(), err)
	}
	img.Names = namesOf(names, id)
	f := Found{Image: img, Name: name, Manifest: img.Manifests[0]}
	for _, m := range img.Manifests {
		if m.Digest == manifest {
			f.Manifest = m
		}
	}
	return f, nil
}

// byID finds the one image whose id, or a manifest's digest, begins so.
func (s *Store) byID(what string) (ImageID, error) {
	images, err := s.Images()
	if err != nil {
		return "", err
	}
	_, digest, atDigest := strings.Cut(what, "@")
	prefix := strings.TrimPrefix(what, digestPrefix)
	var hits []ImageID
	for _, img := range images {
		switch {
		case atDigest && img.hasManifest(Digest(digest)), prefix != "" && strings.HasPrefix(img.ID.Hex(), prefix):
			hits = append(hits, img.ID)
		}
	}
	switch len(hits) {
	case 0:
		return "", &UnknownImageError{what}
	case 1:
		return hits[0], nil
	}
	return "", fmt.Errorf("%q is the beginning of %d images' ids: give more of it", what, len(hits))
}

func (i *Image) hasManifest(d Digest) bool {
	return slices.ContainsFunc(i.Manifests, func(m Manifest) bool { return m.Digest == d })
}

// Tag gives an image one more name.
func (s *Store) Tag(what, name string) error {
	whole, err := Normalize(name)
	if err != nil {
		return err
	}
	return s.locked(func() error {
		f, err := s.Find(what)
		if err != nil {
			return err
		}
		return s.changeNames(func(names map[string]named) error {
			names[whole] = named{f.ID, f.Manifest.Digest}
			return nil
		})
	})
}
