package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
)

// repository is one on the hosts that may have it, the preferred first.
type repository struct {
	o        Options
	registry *host

	mu    sync.Mutex
	hosts []*host
}

// openRepository lists the mirrors of a repository, in their order, and then
// its registry.
func openRepository(ref reference.Named, o Options) (*repository, error) {
	r := &repository{o: o}
	registry := reference.Domain(ref)
	for _, mirror := range o.mirrors(registry) {
		address, plain := strings.CutPrefix(mirror, "http://")
		address = strings.Trim(strings.TrimPrefix(address, "https://"), "/")
		server, prefix, _ := strings.Cut(address, "/")
		h, err := o.host(server, strings.TrimPrefix(prefix+"/"+reference.Path(ref), "/"), plain)
		if err != nil {
			return nil, fmt.Errorf("the mirror %q of %s: %w", mirror, registry, err)
		}
		if h.o.retries() > 1 {
			h.o.Retries = 1 // the next host is near
		}
		r.hosts = append(r.hosts, h)
	}
	var err error
	if r.registry, err = o.host(registry, reference.Path(ref), false); err != nil {
		return nil, err
	}
	r.hosts = append(r.hosts, r.registry)
	return r, nil
}

func (o Options) host(server, path string, insecure bool) (*host, error) {
	h := &host{o: o, insecure: insecure || o.insecure(server)}
	reg, err := o.registry(server, h.insecure)
	if err != nil {
		return nil, err
	}
	h.repo = reg.Repo(path)
	return h, nil
}

func (o Options) registry(server string, insecure bool) (name.Registry, error) {
	opts := []name.Option{name.StrictValidation}
	if insecure {
		opts = append(opts, name.Insecure)
	}
	reg, err := name.NewRegistry(server, opts...)
	if err != nil {
		return reg, fmt.Errorf("%q is no registry: HOST or HOST:PORT is expected", server)
	}
	return reg, nil
}

// order is the order in which hosts are asked now.
func (r *repository) order() []*host {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.hosts)
}

// prefer moves the host that answered to the front.
func (r *repository) prefer(h *host) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.Index(r.hosts, h)
	r.hosts = slices.Insert(slices.Delete(slices.Clone(r.hosts), at, at+1), 0, h)
}

// each asks one host after the other until one has an answer. The error is
// the registry's own; what mirrors say are warnings.
func (r *repository) each(ctx context.Context, what string, ask func(h *host) error) error {
	hosts := r.order()
	var last error
	for _, h := range hosts {
		err := ask(h)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = explain(err, what, h.String())
		if len(hosts) > 1 {
			r.o.warn(fmt.Sprintf("%s: %v", h, err))
		}
		if last == nil || h == r.registry {
			last = err
		}
	}
	return last
}

// document gets a manifest or an index from whoever has it, and keeps asking
// that one first.
func (r *repository) document(ctx context.Context, what, id string) (d *document, from *host, err error) {
	err = r.each(ctx, what, func(h *host) (err error) {
		d, err = h.document(ctx, what, id)
		if err == nil {
			from = h
		}
		return err
	})
	if err == nil {
		r.prefer(from)
	}
	return d, from, err
}

// fetch implements origin.
func (r *repository) fetch(ctx context.Context, st *layerstore.Stage, blob v1.Descriptor, t *transfer) error {
	err := r.each(ctx, "blob "+blob.Digest.String(), func(h *host) error {
		return r.attempts(ctx, st, blob, t, h.blob)
	})
	if err == nil || ctx.Err() != nil || len(blob.URLs) == 0 {
		return err
	}
	if ferr := r.foreign(ctx, st, blob, t); ferr != nil {
		return errors.Join(err, ferr)
	}
	return nil
}

// foreign fetches a layer that registries may not distribute from where its
// manifest says (OCI image-spec, layer.md, "Non-Distributable Layers"). No
// credentials go there.
func (r *repository) foreign(ctx context.Context, st *layerstore.Stage, blob v1.Descriptor, t *transfer) error {
	var errs []error
	for _, url := range blob.URLs {
		base, err := r.o.base(hostOf(url), r.registry.insecure)
		if err == nil {
			err = r.attempts(ctx, st, blob, t, at(&http.Client{Transport: base}, url, r.o))
		}
		if err == nil {
			return nil
		}
		errs = append(errs, explain(err, "blob "+blob.Digest.String(), hostOf(url)))
	}
	return errors.Join(errs...)
}
