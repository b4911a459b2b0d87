package registry

import (
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// layoutMark is the file that makes a folder a layout (OCI image-spec,
// image-layout.md).
const layoutMark = `{"imageLayoutVersion":"1.0.0"}`

// layout writes an OCI layout with all blobs as they are.
func (s *saver) layout(images []saved) error {
	if err := s.bytes("oci-layout", []byte(layoutMark)); err != nil {
		return err
	}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	written := map[layerstore.Digest]bool{}
	for _, img := range images {
		entries, err := s.layoutImage(img, written)
		if err != nil {
			return fmt.Errorf("image %s: %w", img.ID.Short(), err)
		}
		index.Manifests = append(index.Manifests, entries...)
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return s.bytes("index.json", raw)
}

func (s *saver) layoutImage(img saved, written map[layerstore.Digest]bool) ([]v1.Descriptor, error) {
	for _, l := range img.Manifest.Layers {
		if err := s.blob(l.Blob, written, true); err != nil {
			return nil, err
		}
	}
	if err := s.blob(layerstore.Digest(img.ID), written, false); err != nil {
		return nil, err
	}
	if err := s.blob(img.Manifest.Digest, written, false); err != nil {
		return nil, err
	}
	return s.indexEntries(img)
}

// indexEntries are an image's rows in index.json: one for each name, in the
// annotations that podman, containerd and docker read.
func (s *saver) indexEntries(img saved) ([]v1.Descriptor, error) {
	raw, err := s.store.ReadBlob(img.Manifest.Digest)
	if err != nil {
		return nil, err
	}
	cfg, err := s.store.Config(img.ID)
	if err != nil {
		return nil, err
	}
	hash, err := v1.NewHash(string(img.Manifest.Digest))
	if err != nil {
		return nil, err
	}
	d := v1.Descriptor{
		MediaType: types.MediaType(img.Manifest.MediaType), Size: int64(len(raw)), Digest: hash,
		Platform: &v1.Platform{OS: cfg.OS, Architecture: cfg.Architecture, Variant: cfg.Variant},
	}
	if cfg.OS == "" || cfg.Architecture == "" {
		d.Platform = nil
	}
	var out []v1.Descriptor
	for _, name := range img.names {
		if taggable(name) {
			entry := d
			entry.Annotations = map[string]string{refName: name, containerdName: name}
			out = append(out, entry)
		}
	}
	if out == nil {
		out = []v1.Descriptor{d}
	}
	return out, nil
}

// bytes writes a small file.
func (s *saver) bytes(name string, data []byte) error {
	return s.out.add(name, int64(len(data)), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// blob writes a blob once, and checks it on the way.
func (s *saver) blob(d layerstore.Digest, written map[layerstore.Digest]bool, layer bool) error {
	if written[d] {
		return nil
	}
	written[d] = true
	f, err := s.store.OpenBlob(d)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	t := s.o.transfer(d, fi.Size())
	if !layer {
		t.tell = nil
	}
	t.begin()
	err = s.out.add(blobName(d), fi.Size(), func(w io.Writer) error {
		return copyChecked(w, told{ended{s.ctx, f}, t}, d)
	})
	if err == nil {
		t.step(Finished)
	}
	return err
}
