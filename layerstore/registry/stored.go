package registry

import (
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// storedImage is an image of the store as go-containerregistry sees images.
type storedImage struct {
	store            *layerstore.Store
	found            layerstore.Found
	manifest, config []byte
}

func newStoredImage(store *layerstore.Store, f layerstore.Found) (*storedImage, error) {
	manifest, err := store.ReadBlob(f.Manifest.Digest)
	if err != nil {
		return nil, err
	}
	config, err := store.ReadBlob(layerstore.Digest(f.ID))
	if err != nil {
		return nil, err
	}
	return &storedImage{store, f, manifest, config}, nil
}

// RawManifest implements partial.CompressedImageCore, as all of these do.
func (i *storedImage) RawManifest() ([]byte, error) { return i.manifest, nil }

// RawConfigFile is the config's bytes.
func (i *storedImage) RawConfigFile() ([]byte, error) { return i.config, nil }

// MediaType is the manifest's.
func (i *storedImage) MediaType() (types.MediaType, error) {
	return types.MediaType(i.found.Manifest.MediaType), nil
}

// LayerByDigest finds a layer by its blob.
func (i *storedImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, l := range i.found.Manifest.Layers {
		if string(l.Blob) == h.String() {
			return &storedLayer{i.store, l, &transfer{}}, nil
		}
	}
	return nil, os.ErrNotExist
}

// storedLayer is a layer of the store as go-containerregistry sees layers.
type storedLayer struct {
	store *layerstore.Store
	d     layerstore.Descriptor
	t     *transfer
}

// Digest is the blob's.
func (l *storedLayer) Digest() (v1.Hash, error) { return v1.NewHash(string(l.d.Blob)) }

// Size is the blob's.
func (l *storedLayer) Size() (int64, error) { return l.d.Size, nil }

// MediaType is as the manifest has it.
func (l *storedLayer) MediaType() (types.MediaType, error) {
	return types.MediaType(l.d.MediaType), nil
}

// Compressed opens the blob, once for each attempt to send it.
func (l *storedLayer) Compressed() (io.ReadCloser, error) {
	f, err := l.store.OpenBlob(l.d.Blob)
	if err != nil {
		return nil, err
	}
	l.t.begin()
	return struct {
		io.Reader
		io.Closer
	}{told{f, l.t}, f}, nil
}
