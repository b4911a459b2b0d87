package registry

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// What documents may weigh. Registries take manifests of up to 4 MiB (OCI
// distribution-spec, "Pushing Manifests").
const (
	maxManifest = 4 << 20
	maxConfig   = 16 << 20
)

// document is a manifest as it came: an image's, or an index.
type document struct {
	raw       []byte
	digest    layerstore.Digest
	mediaType types.MediaType
	image     *v1.Manifest      // nil for an index
	index     *v1.IndexManifest // nil for an image
}

// shape is what tells kinds of documents apart.
type shape struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	Config        json.RawMessage `json:"config"`
	Layers        json.RawMessage `json:"layers"`
	Manifests     json.RawMessage `json:"manifests"`
	FSLayers      json.RawMessage `json:"fsLayers"`
}

// parseDocument reads a manifest or an index of the given media type, which
// may be "" or wrong. what is named in errors.
func parseDocument(what string, raw []byte, contentType string) (*document, error) {
	var s shape
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%s: its manifest is no JSON: %w", what, err)
	}
	d := &document{raw: raw, digest: layerstore.DigestOf(raw), mediaType: s.mediaType(contentType)}
	switch {
	case s.SchemaVersion == 1 || d.mediaType.IsSchema1() || s.FSLayers != nil:
		return nil, &NoImageError{what, "has a manifest of schema version 1, a form given up in 2017: it must be pushed anew in a newer one"}
	case s.Manifests != nil && (s.Layers != nil || s.Config != nil):
		// One digest must not mean two things (OCI image-spec, manifest.md).
		return nil, fmt.Errorf("%s: its manifest is an image and an index in one, which is forbidden", what)
	case d.mediaType.IsIndex() && s.Manifests != nil:
		return d.withIndex(what)
	case d.mediaType.IsImage() && s.Config != nil:
		return d.withImage(what)
	}
	return nil, &NoImageError{what, fmt.Sprintf("is no container image: its manifest is of type %q", d.mediaType)}
}

// NoImageError says that something is there, and is no image that containers
// can be made of.
type NoImageError struct{ What, Why string }

func (e *NoImageError) Error() string { return e.What + " " + e.Why }

// mediaType is what the document says of itself, else what its bearer says,
// else what it looks like: some servers say text/plain.
func (s *shape) mediaType(contentType string) types.MediaType {
	if s.MediaType != "" {
		return s.MediaType
	}
	if t, _, err := mime.ParseMediaType(contentType); err == nil {
		if m := types.MediaType(t); m.IsImage() || m.IsIndex() || m.IsSchema1() {
			return m
		}
	}
	switch {
	case s.Manifests != nil:
		return types.OCIImageIndex
	case s.Config != nil:
		return types.OCIManifestSchema1
	}
	return types.MediaType(contentType)
}

func (d *document) withIndex(what string) (*document, error) {
	d.index = new(v1.IndexManifest)
	if err := json.Unmarshal(d.raw, d.index); err != nil {
		return nil, fmt.Errorf("%s: its index can't be read: %w", what, err)
	}
	return d, nil
}

func (d *document) withImage(what string) (*document, error) {
	d.image = new(v1.Manifest)
	if err := json.Unmarshal(d.raw, d.image); err != nil {
		return nil, fmt.Errorf("%s: its manifest can't be read: %w", what, err)
	}
	if kind := d.artifact(); kind != "" {
		return nil, &NoImageError{what, "is no container image: it is an artifact of type " + kind}
	}
	if err := checkDescriptor(what+": its config", d.image.Config, maxConfig); err != nil {
		return nil, err
	}
	for i, l := range d.image.Layers {
		if err := checkLayer(fmt.Sprintf("%s: its layer %d", what, i+1), l); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// artifact answers the kind of what isn't an image (OCI image-spec,
// manifest.md, "Guidelines for Artifact Usage"), else "". Old tools pushed
// configs under types that say nothing.
func (d *document) artifact() string {
	switch t := d.image.Config.MediaType; t {
	case types.OCIConfigJSON, types.DockerConfigJSON, "", "application/octet-stream", "application/json", "text/plain":
		return ""
	case types.OCIEmptyJSON:
		if d.image.ArtifactType != "" {
			return d.image.ArtifactType
		}
		return string(t)
	default:
		return string(t)
	}
}

// maxLayer is far more than any honest layer has.
const maxLayer = 1 << 40

func checkLayer(what string, l v1.Descriptor) error {
	switch t := string(l.MediaType); {
	case strings.HasSuffix(t, "+encrypted"):
		return &NoImageError{what, fmt.Sprintf("is encrypted (%s): decrypt the image first", t)}
	case t != "" && t != "application/octet-stream" && !strings.Contains(t, "tar"):
		return &NoImageError{what, "is no file system but " + t}
	}
	return checkDescriptor(what, l, maxLayer)
}

func checkDescriptor(what string, d v1.Descriptor, limit int64) error {
	if _, err := layerstore.ParseDigest(d.Digest.String()); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if d.Size < 0 || d.Size > limit {
		return fmt.Errorf("%s claims to have %d bytes; at most %d are taken", what, d.Size, limit)
	}
	return nil
}

// digestOf is a descriptor's digest; checkDescriptor has seen it.
func digestOf(d v1.Descriptor) layerstore.Digest { return layerstore.Digest(d.Digest.String()) }

// readLimited reads all of what must be small.
func readLimited(what string, r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes, and no more are taken", what, limit)
	}
	return data, nil
}

// stored is how the store keeps a manifest in mind.
func (d *document) stored() layerstore.Manifest {
	m := layerstore.Manifest{Digest: d.digest, MediaType: string(d.mediaType)}
	for _, l := range d.image.Layers {
		m.Layers = append(m.Layers, layerstore.Descriptor{Blob: digestOf(l), Size: l.Size, MediaType: string(l.MediaType)})
	}
	return m
}

// config is an image's config, read and checked.
type config struct {
	v1.ConfigFile
	layers []layerstore.DiffID
}

// parseConfig reads a config and compares it with the number of layers.
func parseConfig(what string, raw []byte, layers int) (*config, error) {
	c := new(config)
	if err := json.Unmarshal(raw, &c.ConfigFile); err != nil {
		return nil, fmt.Errorf("%s: its config can't be read: %w", what, err)
	}
	if t := c.RootFS.Type; t != "" && t != "layers" {
		return nil, fmt.Errorf("%s: its config has a rootfs of type %q, and only layers are known", what, t)
	}
	for _, h := range c.RootFS.DiffIDs {
		d, err := layerstore.ParseDigest(h.String())
		if err != nil {
			return nil, fmt.Errorf("%s: its config: %w", what, err)
		}
		c.layers = append(c.layers, layerstore.DiffID(d))
	}
	if len(c.layers) != layers {
		return nil, fmt.Errorf("%s: its config names %d layers, and it has %d", what, len(c.layers), layers)
	}
	return c, nil
}
