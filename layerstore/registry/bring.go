package registry

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
)

// origin is where the blobs of an image come from.
type origin interface {
	// fetch brings a blob into the store.
	fetch(ctx context.Context, st *layerstore.Stage, blob v1.Descriptor, t *transfer) error
}

// bringer brings one image into a store.
type bringer struct {
	store *layerstore.Store
	st    *layerstore.Stage
	from  origin
	what  string // for errors
	o     Options
}

// bring fetches and unpacks what a manifest names, and publishes the image.
func (b *bringer) bring(ctx context.Context, d *document, names []string) (layerstore.Image, error) {
	cfg, err := b.config(ctx, d)
	if err != nil {
		return layerstore.Image{}, err
	}
	if _, err := b.st.PutBlob(d.raw); err != nil {
		return layerstore.Image{}, err
	}
	if err := b.hold(d, cfg); err != nil {
		return layerstore.Image{}, err
	}
	if err := b.layers(ctx, d, cfg); err != nil {
		return layerstore.Image{}, err
	}
	return b.st.PublishImage(layerstore.NewImage{
		Config: digestOf(d.image.Config), Manifest: d.stored(), Names: names,
	})
}

func (b *bringer) config(ctx context.Context, d *document) (*config, error) {
	blob := d.image.Config
	t := b.o.transfer(digestOf(blob), blob.Size)
	t.tell = nil // small, and no layer: of no interest
	if err := b.from.fetch(ctx, b.st, blob, t); err != nil {
		return nil, fmt.Errorf("%s: its config: %w", b.what, err)
	}
	raw, err := b.store.ReadBlob(digestOf(blob))
	if err != nil {
		return nil, err
	}
	cfg, err := parseConfig(b.what, raw, len(d.image.Layers))
	if err != nil {
		return nil, err
	}
	return cfg, b.checkPlatform(cfg)
}

// checkPlatform compares an image that is there for one platform only with
// the one that is wanted.
func (b *bringer) checkPlatform(cfg *config) error {
	has := v1.Platform{OS: cfg.OS, Architecture: cfg.Architecture, Variant: cfg.Variant}
	want := b.o.wanted()
	switch {
	case has.OS == "" && has.Architecture == "", suits(has, want) >= 0:
		return nil
	case b.o.Platform == nil:
		b.o.warn(fmt.Sprintf("%s is for %s, and this machine is %s", b.what, has, want))
		return nil
	}
	return &NoPlatformError{b.what, want, []string{has.String()}}
}

// hold keeps others from collecting what is there already.
func (b *bringer) hold(d *document, cfg *config) error {
	blobs := []layerstore.Digest{digestOf(d.image.Config), d.digest}
	for _, l := range d.image.Layers {
		blobs = append(blobs, digestOf(l))
	}
	return b.st.Hold(blobs, cfg.layers)
}

// layers brings each layer once, several at a time.
func (b *bringer) layers(ctx context.Context, d *document, cfg *config) error {
	type pair struct {
		blob layerstore.Digest
		tree layerstore.DiffID
	}
	seen := map[pair]bool{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(b.o.jobs())
	for i, blob := range d.image.Layers {
		p := pair{digestOf(blob), cfg.layers[i]}
		if seen[p] {
			continue
		}
		seen[p] = true
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err // another layer failed
			}
			return b.layer(ctx, blob, p.tree)
		})
	}
	return g.Wait()
}

func (b *bringer) layer(ctx context.Context, blob v1.Descriptor, tree layerstore.DiffID) error {
	d := digestOf(blob)
	t := b.o.transfer(d, blob.Size)
	if b.store.HasBlob(d) && b.store.HasLayer(tree) {
		t.step(Exists)
		return nil
	}
	if !b.store.HasBlob(d) {
		if err := b.from.fetch(ctx, b.st, blob, t); err != nil {
			return err
		}
	}
	t.done.Store(blob.Size)
	t.step(Unpacking)
	if _, err := b.st.Unpack(ctx, d, tree); err != nil {
		return err
	}
	t.step(Finished)
	return nil
}
