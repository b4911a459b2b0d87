package layerstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Image is an image in the store: images/HEX.json.
type Image struct {
	ID ImageID `json:"id"`
	// Layers are its chain, the lowest first.
	Layers []DiffID `json:"layers"`
	// Manifests are those by which the image came or was made.
	Manifests []Manifest `json:"manifests"`
	// Added is when it came into the store.
	Added time.Time `json:"added"`
	// Names point at the image. Kept in names.json.
	Names []string `json:"-"`
}

// Manifest ties an image to the blobs by which it travels.
type Manifest struct {
	Digest    Digest       `json:"digest"` // its own bytes are a blob too
	MediaType string       `json:"mediaType"`
	Layers    []Descriptor `json:"layers"` // as many as the image has, in its order
}

// Descriptor is a layer in a manifest.
type Descriptor struct {
	Blob      Digest `json:"blob"`
	Size      int64  `json:"size"`
	MediaType string `json:"mediaType"`
}

// Chain names the image's stack of layers.
func (i *Image) Chain() ChainID { return ChainOf(i.Layers) }

// named is a row of names.json.
type named struct {
	Image    ImageID `json:"image"`
	Manifest Digest  `json:"manifest"`
}

// NewImage is an image to be published: everything that it mentions is in the
// store, held by the stage.
type NewImage struct {
	Config   Digest
	Manifest Manifest
	Names    []string // normalized; each moves here from wherever it was
}

// PublishImage makes an image visible under its names.
func (st *Stage) PublishImage(n NewImage) (Image, error) {
	id := ImageID(n.Config)
	cfg, err := st.s.Config(id)
	if err != nil {
		return Image{}, err
	}
	img := Image{ID: id, Added: time.Now().UTC(), Manifests: []Manifest{n.Manifest}}
	for _, h := range cfg.RootFS.DiffIDs {
		d, err := ParseDigest(h.String())
		if err != nil {
			return Image{}, fmt.Errorf("config %s: %w", id, err)
		}
		img.Layers = append(img.Layers, DiffID(d))
	}
	if len(img.Layers) != len(n.Manifest.Layers) {
		return Image{}, fmt.Errorf("config %s names %d layers, and its manifest %s has %d", id, len(img.Layers), n.Manifest.Digest, len(n.Manifest.Layers))
	}
	return img, st.s.locked(func() error {
		if err := st.s.complete(&img); err != nil {
			return err
		}
		return st.s.publish(&img, n)
	})
}

// complete makes sure that what an image needs is there.
func (s *Store) complete(img *Image) error {
	for _, l := range img.Layers {
		if !s.HasLayer(l) {
			return fmt.Errorf("image %s: its layer %s is not in the store", img.ID.Short(), l)
		}
	}
	return nil
}

func (s *Store) publish(img *Image, n NewImage) error {
	if old, err := s.readImage(img.ID); err == nil {
		img.Added = old.Added
		for _, m := range old.Manifests {
			if m.Digest != n.Manifest.Digest {
				img.Manifests = append(img.Manifests, m)
			}
		}
	}
	if err := writeJSON(s.path("images", img.ID.Hex()+".json"), img); err != nil {
		return err
	}
	if len(n.Names) == 0 {
		return nil
	}
	return s.changeNames(func(names map[string]named) error {
		for _, name := range n.Names {
			names[name] = named{img.ID, n.Manifest.Digest}
		}
		return nil
	})
}

func (s *Store) readImage(id ImageID) (Image, error) {
	var img Image
	path := s.path("images", id.Hex()+".json")
	if err := readJSON(path, &img); err != nil {
		return img, err
	}
	if why := img.flaw(id); why != "" {
		return img, fmt.Errorf("%s is damaged: %s: run system check --repair", path, why)
	}
	return img, nil
}

// flaw answers what makes an image's file no description of that image.
func (i *Image) flaw(id ImageID) string {
	if i.ID != id {
		return "it is about another image"
	}
	if len(i.Manifests) == 0 {
		return "it names no manifest"
	}
	for _, m := range i.Manifests {
		if len(m.Layers) != len(i.Layers) {
			return fmt.Sprintf("manifest %s has %d layers, and the image %d", m.Digest, len(m.Layers), len(i.Layers))
		}
	}
	return ""
}

// Config reads an image's config.
func (s *Store) Config(id ImageID) (*v1.ConfigFile, error) {
	data, err := s.ReadBlob(Digest(id))
	if err != nil {
		return nil, fmt.Errorf("the config of image %s: %w", id.Short(), err)
	}
	cfg := new(v1.ConfigFile)
	if err := json.Unmarshal(data, cfg); err != nil {
		return nil, fmt.Errorf("the config of image %s is no image config: %w", id.Short(), err)
	}
	return cfg, nil
}

// Images lists the images, the newest first.
func (s *Store) Images() ([]Image, error) {
	files, err := s.names("images")
	if err != nil {
		return nil, err
	}
	names, err := s.readNames()
	if err != nil {
		return nil, mendable(err)
	}
	var out []Image
	for _, file := range files {
		img, err := s.readImage(ImageID(digestPrefix + strings.TrimSuffix(file, ".json")))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since
		}
		if err != nil {
			return nil, mendable(err)
		}
		img.Names = namesOf(names, img.ID)
		out = append(out, img)
	}
	slices.SortStableFunc(out, func(a, b Image) int { return b.Added.Compare(a.Added) })
	return out, nil
}
