package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
)

// Annotations by which layouts name images (OCI image-spec, annotations.md;
// containerd's images/annotations.go).
const (
	refName        = "org.opencontainers.image.ref.name"
	containerdName = "io.containerd.image.name"
)

// fetch implements origin: blobs of a layout (OCI image-spec, image-layout.md).
func (l *loader) fetch(ctx context.Context, st *layerstore.Stage, blob v1.Descriptor, t *transfer) error {
	d := digestOf(blob)
	if err := st.Hold([]layerstore.Digest{d}, nil); err != nil || l.store.HasBlob(d) {
		return err
	}
	f, err := l.in.open(blobName(d))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob %s is missing", d)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Size() != blob.Size {
		return sizeFits(blob, f.Size())
	}
	t.begin()
	return st.Fetch(ctx, layerstore.BlobSource{
		Digest: d, Size: blob.Size, Progress: t.moved,
		Open: func(_ context.Context, offset int64) (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(f, offset, f.Size()-offset)), nil
		},
	})
}

func blobName(d layerstore.Digest) string { return "blobs/sha256/" + d.Hex() }

// document reads a manifest or an index of a layout.
func (l *loader) document(what string, d v1.Descriptor) (*document, error) {
	if err := checkDescriptor(what, d, maxManifest); err != nil {
		return nil, err
	}
	raw, err := readFile(l.in, blobName(digestOf(d)), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: blob %s is missing", what, d.Digest)
	}
	if err != nil {
		return nil, err
	}
	if got := layerstore.DigestOf(raw); got != digestOf(d) {
		return nil, &layerstore.DigestError{Want: digestOf(d), Got: got}
	}
	return parseDocument(what, raw, string(d.MediaType))
}

// loadLayout loads the images of a layout.
func (l *loader) loadLayout(ctx context.Context, raw []byte) error {
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return fmt.Errorf("index.json can't be read: %w", err)
	}
	var odd error
	for _, d := range l.choose(index.Manifests) {
		err := l.loadEntry(ctx, d)
		var no *NoImageError
		if errors.As(err, &no) {
			odd = err // layouts may hold artifacts beside images
			continue
		}
		if err != nil {
			return err
		}
	}
	if odd != nil && len(l.out) > 0 {
		l.o.warn(odd.Error())
		odd = nil
	}
	return odd
}

// choose takes what is asked for. Some tools list the platforms of one image
// one by one, under the same name: then one of them is taken.
func (l *loader) choose(all []v1.Descriptor) []v1.Descriptor {
	byName := map[string][]v1.Descriptor{}
	var order []string
	for _, d := range all {
		words := wordsOf(d)
		if isAttestation(d) || !l.wants(words) {
			continue
		}
		key := strings.Join(words, " ")
		if byName[key] == nil {
			order = append(order, key)
		}
		byName[key] = append(byName[key], d)
	}
	var out []v1.Descriptor
	for _, key := range order {
		same := byName[key]
		if best, err := pick(key, same, l.o.wanted()); len(same) > 1 && err == nil && best.Platform != nil {
			same = []v1.Descriptor{best}
		}
		out = append(out, same...)
	}
	return out
}

// wordsOf are the annotations that may name an image.
func wordsOf(d v1.Descriptor) []string {
	var words []string
	for _, key := range [...]string{containerdName, refName} {
		if word := d.Annotations[key]; word != "" {
			words = append(words, word)
		}
	}
	return words
}

// nameOf makes a name of what a layout calls an image. A bare word is a tag,
// or a mark that means something to its maker only, and names nothing.
func nameOf(d v1.Descriptor) []string {
	for _, word := range wordsOf(d) {
		if !strings.ContainsAny(word, ":/") {
			continue
		}
		if whole, err := layerstore.Normalize(word); err == nil {
			return []string{whole}
		}
	}
	return nil
}

func (l *loader) loadEntry(ctx context.Context, d v1.Descriptor) error {
	names := nameOf(d)
	what := "manifest " + d.Digest.String()
	if len(names) > 0 {
		what = layerstore.Familiar(names[0])
	}
	doc, err := l.resolve(what, d)
	if err != nil {
		return err
	}
	l.o.resolved(doc.digest, l.from.String())
	img, err := l.bringer(what).bring(ctx, doc, names)
	if err != nil {
		return err
	}
	l.done(img, doc.digest, names)
	return nil
}

// resolve finds the manifest for the wanted platform.
func (l *loader) resolve(what string, d v1.Descriptor) (*document, error) {
	for range deepest {
		doc, err := l.document(what, d)
		if err != nil || doc.image != nil {
			return doc, err
		}
		if d, err = pick(what, doc.index.Manifests, l.o.wanted()); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: indexes in indexes, more than %d deep", what, deepest)
}
