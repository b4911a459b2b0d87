package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/distribution/reference"
	"golang.org/x/sync/errgroup"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"unionfs/layerstore"
)

// Push sends an image, asked for as Store.Find has it, to a registry under the
// name dest, and answers the digest by which it can be pulled: that of the
// manifest by which it came. Blobs that the registry has aren't sent.
func Push(ctx context.Context, store *layerstore.Store, what, dest string, o Options) (layerstore.Digest, error) {
	f, err := store.Find(what)
	if err != nil {
		return "", err
	}
	tag, h, err := destination(dest, o)
	if err != nil {
		return "", err
	}
	st, err := store.Begin()
	if err != nil {
		return "", err
	}
	defer st.Close()
	if err := holdImage(st, f); err != nil {
		return "", err
	}
	core, err := newStoredImage(store, f)
	if err != nil {
		return "", err
	}
	p := &pusher{store: store, image: core, host: h, o: o}
	o.resolved(f.Manifest.Digest, h.String())
	err = p.push(ctx, tag, p.mounts())
	if refused(err) && ctx.Err() == nil {
		// Whoever may push here may still not read where mounts come from.
		err = p.push(ctx, tag, nil)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", explain(err, layerstore.Familiar(dest), h.String())
	}
	return f.Manifest.Digest, nil
}

// destination reads where to push.
func destination(dest string, o Options) (string, *host, error) {
	whole, err := layerstore.Normalize(dest)
	if err != nil {
		return "", nil, err
	}
	ref, err := reference.ParseNormalizedNamed(whole)
	if err != nil {
		return "", nil, err
	}
	tagged, ok := ref.(reference.Tagged)
	if _, digested := ref.(reference.Digested); digested || !ok {
		return "", nil, fmt.Errorf("%q names a digest, and images are pushed by tag: their bytes alone decide the digest", dest)
	}
	h, err := o.host(reference.Domain(ref), reference.Path(ref), false)
	return tagged.Tag(), h, err
}

func refused(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden)
}

type pusher struct {
	store *layerstore.Store
	image *storedImage
	host  *host
	o     Options
}

// push sends layers, then config and manifest. Those of mounts are asked of
// the registry first.
func (p *pusher) push(ctx context.Context, tag string, mounts map[layerstore.Digest]name.Repository) error {
	repo := p.host.repo
	scopes := []string{repo.Scope(transport.PushScope)}
	seen := map[string]bool{}
	for _, from := range mounts {
		if !seen[from.String()] {
			seen[from.String()] = true
			scopes = append(scopes, from.Scope(transport.PullScope))
		}
	}
	t, err := p.o.enter(ctx, repo, p.host.insecure, scopes...)
	if err != nil {
		return err
	}
	out, err := remote.NewPusher(remote.WithTransport(t), remote.WithJobs(p.o.jobs()),
		remote.WithRetryPredicate(func(err error) bool { return ctx.Err() == nil && sendAgain(err) }), remote.WithRetryBackoff(remote.Backoff{
			Duration: p.o.backoff(), Factor: 2, Jitter: 0.2, Steps: p.o.retries() + 1,
		}))
	if err != nil {
		return err
	}
	if err := p.layers(ctx, out, mounts); err != nil {
		return err
	}
	img, err := partial.CompressedToImage(p.image)
	if err != nil {
		return err
	}
	return out.Push(ctx, repo.Tag(tag), img)
}

// sendAgain tells whether an upload is begun anew.
func sendAgain(err error) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return passing(err)
	}
	for _, d := range answer.Errors {
		if d.Code == transport.BlobUploadUnknownErrorCode {
			return true // the registry forgot what it had begun
		}
	}
	return answer.Temporary()
}

func (p *pusher) layers(ctx context.Context, out *remote.Pusher, mounts map[layerstore.Digest]name.Repository) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.o.jobs())
	seen := map[layerstore.Digest]bool{}
	for _, d := range p.image.found.Manifest.Layers {
		if seen[d.Blob] {
			continue
		}
		seen[d.Blob] = true
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err // another layer failed
			}
			return p.layer(ctx, out, d, mounts)
		})
	}
	return g.Wait()
}

func (p *pusher) layer(ctx context.Context, out *remote.Pusher, d layerstore.Descriptor, mounts map[layerstore.Digest]name.Repository) error {
	t := p.o.transfer(d.Blob, d.Size)
	layer, err := partial.CompressedToLayer(&storedLayer{p.store, d, t})
	if err != nil {
		return err
	}
	var sent v1.Layer = layer
	if from, ok := mounts[d.Blob]; ok {
		sent = &remote.MountableLayer{Layer: layer, Reference: from.Tag("latest")} // of the reference only the repository counts
	}
	if err := out.Upload(ctx, p.host.repo, sent); err != nil {
		return err
	}
	if t.begun.Load() {
		t.step(Finished)
	} else {
		t.step(Exists) // there already, mounted, or not for distribution
	}
	return nil
}

// mostMounts is how many repositories are asked to lend layers.
const mostMounts = 4

// mounts finds, for the image's layers, other repositories of the same
// registry that probably have them, since images of that name have them here
// (OCI distribution-spec, "Mounting a blob from another repository").
func (p *pusher) mounts() map[layerstore.Digest]name.Repository {
	images, err := p.store.Images()
	if err != nil {
		return nil // only a saving
	}
	mine := map[layerstore.Digest]bool{}
	for _, l := range p.image.found.Manifest.Layers {
		mine[l.Blob] = true
	}
	mounts := map[layerstore.Digest]name.Repository{}
	lenders := map[string]bool{}
	for _, img := range images {
		for _, word := range img.Names {
			from, ok := p.neighbour(word)
			if !ok || len(lenders) == mostMounts && !lenders[from.String()] {
				continue
			}
			for _, m := range img.Manifests {
				for _, l := range m.Layers {
					if _, known := mounts[l.Blob]; mine[l.Blob] && !known {
						mounts[l.Blob] = from
						lenders[from.String()] = true
					}
				}
			}
		}
	}
	return mounts
}

// neighbour answers the repository of a name when it is another one of the
// same registry.
func (p *pusher) neighbour(word string) (name.Repository, bool) {
	ref, err := reference.ParseNormalizedNamed(word)
	if err != nil {
		return name.Repository{}, false
	}
	reg, err := p.o.registry(reference.Domain(ref), p.host.insecure)
	if err != nil || reg.RegistryStr() != p.host.repo.RegistryStr() {
		return name.Repository{}, false
	}
	from := reg.Repo(reference.Path(ref))
	return from, from.RepositoryStr() != p.host.repo.RepositoryStr()
}
