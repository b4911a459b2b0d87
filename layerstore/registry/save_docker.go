package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"unionfs/layerstore"
)

// docker writes an archive as docker save does since version 1.10, with each
// layer uncompressed, under its DiffID: that is the form that every version of
// docker and podman loads.
func (s *saver) docker(images []saved) error {
	var index []dockerImage
	written := map[string]bool{}
	at := map[layerstore.ImageID]int{}
	for _, img := range images {
		i, known := at[img.ID]
		if !known {
			// Of manifests that share a config one will do: they have the
			// same layers, and those go uncompressed.
			row, err := s.dockerImage(img, written)
			if err != nil {
				return fmt.Errorf("image %s: %w", img.ID.Short(), err)
			}
			i = len(index)
			at[img.ID] = i
			index = append(index, row)
		}
		for _, name := range img.names {
			if taggable(name) { // whole: podman takes short ones for its own
				index[i].RepoTags = append(index[i].RepoTags, name)
			}
		}
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return err
	}
	return s.bytes("manifest.json", raw)
}

func (s *saver) dockerImage(img saved, written map[string]bool) (dockerImage, error) {
	row := dockerImage{Config: img.ID.Hex() + ".json", RepoTags: []string{}, Layers: []string{}}
	for i, id := range img.Layers {
		name := id.Hex() + ".tar"
		row.Layers = append(row.Layers, name)
		if written[name] {
			continue
		}
		written[name] = true
		if err := s.plainLayer(name, img.Manifest.Layers[i].Blob, id); err != nil {
			return row, fmt.Errorf("layer %s: %w", id, err)
		}
	}
	raw, err := s.store.ReadBlob(layerstore.Digest(img.ID))
	if err != nil {
		return row, err
	}
	return row, s.bytes(row.Config, raw)
}

// plainLayer writes a layer uncompressed. A tar says a file's size before its
// bytes, so the blob is uncompressed twice: that is cheaper than keeping its
// bytes aside on a disk.
func (s *saver) plainLayer(name string, blob layerstore.Digest, id layerstore.DiffID) error {
	size, err := s.uncompress(io.Discard, blob, nil)
	if err != nil {
		return err
	}
	t := s.o.transfer(blob, size)
	t.begin()
	err = s.out.add(name, size, func(w io.Writer) error {
		h := sha256.New()
		if _, err := s.uncompress(io.MultiWriter(w, h), blob, t); err != nil {
			return err
		}
		return checkSum(h.Sum(nil), layerstore.Digest(id))
	})
	if err == nil {
		t.step(Finished)
	}
	return err
}

func (s *saver) uncompress(w io.Writer, blob layerstore.Digest, t *transfer) (int64, error) {
	f, err := s.store.OpenBlob(blob)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	plain, err := layerstore.Decompress(ended{s.ctx, f})
	if err != nil {
		return 0, err
	}
	defer plain.Close()
	r := io.Reader(plain)
	if t != nil {
		r = told{plain, t}
	}
	return io.Copy(w, r)
}

// copyChecked copies a blob of the store; one that is damaged is an error.
func copyChecked(w io.Writer, r io.Reader, d layerstore.Digest) error {
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), r); err != nil {
		return err
	}
	return checkSum(h.Sum(nil), d)
}

func checkSum(sum []byte, want layerstore.Digest) error {
	if hex.EncodeToString(sum) != want.Hex() {
		return fmt.Errorf("the store's copy is damaged: %w: run system check --repair", &layerstore.DigestError{
			Want: want, Got: layerstore.Digest("sha256:" + hex.EncodeToString(sum))})
	}
	return nil
}
