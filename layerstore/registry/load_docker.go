package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
)

// dockerImage is an image in an archive's manifest.json (moby's image-spec
// v1.2, "Combined Image JSON + Filesystem Changeset Format").
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// loadDocker loads what docker save wrote since version 1.10. Since 25 such an
// archive is an OCI layout too: then the manifests are taken from there, so
// that images keep their digests.
func (l *loader) loadDocker(ctx context.Context, raw []byte) error {
	var images []dockerImage
	if err := json.Unmarshal(raw, &images); err != nil {
		return fmt.Errorf("manifest.json is not that of a docker archive (%w); folders that skopeo calls dir: are not read, make an OCI layout instead", err)
	}
	known := l.manifests()
	for _, img := range images {
		if !l.wants(img.RepoTags) {
			continue
		}
		if err := l.loadDockerImage(ctx, img, known); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) loadDockerImage(ctx context.Context, img dockerImage, known map[layerstore.Digest]*document) error {
	names, err := repoTags(img.RepoTags)
	if err != nil {
		return err
	}
	raw, err := readFile(l.in, img.Config, maxConfig)
	if err != nil {
		return fmt.Errorf("the config of %s: %w", strings.Join(img.RepoTags, ", "), err)
	}
	id := layerstore.DigestOf(raw)
	if err := namedByDigest(img.Config, id); err != nil {
		return err
	}
	what := "image " + layerstore.ImageID(id).Short()
	if d := known[id]; d != nil {
		l.o.resolved(d.digest, l.from.String())
		published, err := l.bringer(what).bring(ctx, d, names)
		if err == nil {
			l.done(published, d.digest, names)
		}
		return err
	}
	cfg, err := parseConfig(what, raw, len(img.Layers))
	if err != nil {
		return err
	}
	if err := l.bringer(what).checkPlatform(cfg); err != nil {
		return err
	}
	layers, err := l.layerFiles(ctx, img.Layers, cfg.layers)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	published, err := l.st.AssembleRaw(raw, layers, names)
	if err == nil {
		l.done(published, published.Manifests[0].Digest, names)
	}
	return err
}

// repoTags makes names whole. Docker writes <none> for images without one.
func repoTags(tags []string) ([]string, error) {
	var out []string
	for _, tag := range tags {
		if strings.Contains(tag, "<none>") {
			continue
		}
		whole, err := layerstore.Normalize(tag)
		if err != nil {
			return nil, err
		}
		out = append(out, whole)
	}
	return out, nil
}

// namedByDigest compares a file's name with its digest, where it is one.
func namedByDigest(name string, d layerstore.Digest) error {
	base := strings.TrimSuffix(path.Base(name), ".json")
	want, err := layerstore.ParseDigest("sha256:" + base)
	if err == nil && want != d {
		return &layerstore.DigestError{Want: want, Got: d}
	}
	return nil
}

// manifests finds, by config, the manifests of the layout that an archive may
// be too. What is wrong or missing there doesn't matter: manifest.json says
// enough.
func (l *loader) manifests() map[layerstore.Digest]*document {
	c := collector{l: l, seen: map[v1.Hash]bool{}, byConfig: map[layerstore.Digest]*document{}}
	raw, err := readFile(l.in, "index.json", maxConfig)
	var index v1.IndexManifest
	if err == nil && json.Unmarshal(raw, &index) == nil {
		c.collect(index.Manifests, deepest)
	}
	return c.byConfig
}

// collector reads each document once, however often indexes name it.
type collector struct {
	l        *loader
	seen     map[v1.Hash]bool
	byConfig map[layerstore.Digest]*document
}

func (c *collector) collect(all []v1.Descriptor, depth int) {
	for _, d := range all {
		if depth == 0 || isAttestation(d) || c.seen[d.Digest] {
			continue
		}
		c.seen[d.Digest] = true
		doc, err := c.l.document("an image", d)
		switch {
		case err != nil:
		case doc.index != nil:
			c.collect(doc.index.Manifests, depth-1)
		case c.l.hasLayers(doc):
			c.byConfig[digestOf(doc.image.Config)] = doc
		}
	}
}

// hasLayers tells whether the blobs of an image are there: docker leaves out
// those of other platforms.
func (l *loader) hasLayers(doc *document) bool {
	for _, d := range doc.image.Layers {
		f, err := l.in.open(blobName(digestOf(d)))
		if err != nil {
			return l.store.HasBlob(digestOf(d))
		}
		f.Close()
	}
	return true
}
