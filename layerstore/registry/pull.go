package registry

import (
	"context"
	"fmt"

	"github.com/distribution/reference"

	"unionfs/layerstore"
)

// Pull brings an image into the store and gives it the name by which it was
// asked for: a tag, or a digest, of the image itself or of an index that has
// it.
func Pull(ctx context.Context, store *layerstore.Store, ref string, o Options) (layerstore.Found, error) {
	whole, err := layerstore.Normalize(ref)
	if err != nil {
		return layerstore.Found{}, err
	}
	named, err := reference.ParseNormalizedNamed(whole)
	if err != nil {
		return layerstore.Found{}, err
	}
	from, err := openRepository(named, o)
	if err != nil {
		return layerstore.Found{}, err
	}
	st, err := store.Begin()
	if err != nil {
		return layerstore.Found{}, err
	}
	defer st.Close()
	what := layerstore.Familiar(whole)
	d, err := resolve(ctx, from, what, identifier(named), o)
	if err != nil {
		return layerstore.Found{}, err
	}
	b := bringer{store: store, st: st, from: from, what: what, o: o}
	img, err := b.bring(ctx, d, []string{whole})
	if err != nil {
		return layerstore.Found{}, err
	}
	return layerstore.Found{Image: img, Name: whole, Manifest: d.stored()}, nil
}

// identifier is the digest or the tag; the digest says more when both are
// given.
func identifier(named reference.Named) string {
	switch n := named.(type) {
	case reference.Digested:
		return n.Digest().String()
	case reference.Tagged:
		return n.Tag()
	}
	return "latest" // Normalize leaves nothing else
}

// deepest is how many indexes may be found in one another.
const deepest = 4

// resolve finds the manifest for the wanted platform.
func resolve(ctx context.Context, from *repository, what, id string, o Options) (*document, error) {
	for range deepest {
		d, host, err := from.document(ctx, what, id)
		if err != nil {
			return nil, err
		}
		if d.image != nil {
			o.resolved(d.digest, host.String())
			return d, nil
		}
		next, err := pick(what, d.index.Manifests, o.wanted())
		if err != nil {
			return nil, err
		}
		if err := checkDescriptor(what+": its manifest", next, maxManifest); err != nil {
			return nil, err
		}
		id = next.Digest.String()
	}
	return nil, fmt.Errorf("%s: indexes in indexes, more than %d deep", what, deepest)
}
