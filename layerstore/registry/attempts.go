package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
)

// opener opens a blob somewhere from offset on.
type opener func(ctx context.Context, blob v1.Descriptor, offset int64) (io.ReadCloser, error)

// at opens a blob at a URL.
func at(client *http.Client, address string, o Options) opener {
	return func(ctx context.Context, blob v1.Descriptor, offset int64) (io.ReadCloser, error) {
		return openAt(ctx, blob, offset, o.stall(), func(ctx context.Context, header http.Header, codes ...int) (*http.Response, error) {
			return request(ctx, client, address, header, codes...)
		})
	}
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Host
	}
	return address
}

// attempts fetches a blob from one place, again and again as long as that
// brings something.
func (r *repository) attempts(ctx context.Context, st *layerstore.Stage, blob v1.Descriptor, t *transfer, open opener) error {
	farthest, vain := int64(-1), 0
	for {
		err := attempt(ctx, st, blob, t, open)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !again(err, vain) {
			return err
		}
		if got := t.done.Load(); got > farthest {
			farthest, vain = got, 0
		} else {
			vain++
		}
		if vain > r.o.retries() || r.o.retries() == 0 {
			return err
		}
		t.retrying(err)
		if err := sleep(ctx, pause(r.o.backoff(), vain)); err != nil {
			return err
		}
	}
}

// again tells whether another attempt is of use. Requests were repeated
// already when that made sense: what is left are transfers that broke, and
// wrong bytes, which may have come from an older attempt.
func again(err error, vain int) bool {
	var refused *refusedError
	var digest *layerstore.DigestError
	switch {
	case errors.As(err, &refused):
		return errors.Is(err, errCut)
	case errors.As(err, &digest):
		return vain == 0
	}
	return passing(err)
}

// refusedError is the error of a request, as opposed to that of its body.
type refusedError struct{ error }

func (e *refusedError) Unwrap() error { return e.error }

func attempt(ctx context.Context, st *layerstore.Stage, blob v1.Descriptor, t *transfer, open opener) error {
	t.begin()
	return st.Fetch(ctx, layerstore.BlobSource{
		Digest: digestOf(blob),
		Size:   blob.Size,
		Open: func(ctx context.Context, offset int64) (io.ReadCloser, error) {
			body, err := open(ctx, blob, offset)
			if err != nil && !errors.Is(err, errors.ErrUnsupported) {
				err = &refusedError{err}
			}
			return body, err
		},
		Progress: t.moved,
	})
}
