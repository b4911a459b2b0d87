package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// host is one server that may have a repository.
type host struct {
	repo     name.Repository
	insecure bool
	o        Options

	mu     sync.Mutex
	client *http.Client // nil before the first use
}

func (h *host) String() string { return shown(h.repo.RegistryStr()) }

// shown is a registry as users know it.
func shown(registry string) string {
	if registry == name.DefaultRegistry {
		return "docker.io"
	}
	return registry
}

// enter logs in once, when the first request is made.
func (h *host) enter(ctx context.Context) (*http.Client, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client != nil {
		return h.client, nil
	}
	t, err := h.o.enter(ctx, h.repo, h.insecure, h.repo.Scope(transport.PullScope))
	if err != nil {
		return nil, err
	}
	h.client = &http.Client{Transport: t}
	return h.client, nil
}

// get asks for something in the repository; an answer that isn't one of the
// given codes is an error.
func (h *host) get(ctx context.Context, path string, header http.Header, codes ...int) (*http.Response, error) {
	client, err := h.enter(ctx)
	if err != nil {
		return nil, err
	}
	url := fmt.Sprintf("%s://%s/v2/%s/%s", h.repo.Scheme(), h.repo.RegistryStr(), h.repo.RepositoryStr(), path)
	return request(ctx, client, url, header, codes...)
}

func request(ctx context.Context, client *http.Client, url string, header http.Header, codes ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	for key, values := range header {
		req.Header[key] = values
	}
	// Digests and ranges are about the bytes as they are.
	req.Header.Set("Accept-Encoding", "identity")
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(res, codes...); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res, nil
}

// accepted are the documents that parseDocument can tell apart.
var accepted = strings.Join([]string{
	string(types.OCIImageIndex), string(types.OCIManifestSchema1),
	string(types.DockerManifestList), string(types.DockerManifestSchema2),
	string(types.DockerManifestSchema1Signed), string(types.DockerManifestSchema1), "*/*;q=0.1",
}, ", ")

// document gets a manifest or index by tag or digest.
func (h *host) document(ctx context.Context, what, id string) (*document, error) {
	var raw []byte
	var contentType string
	for try := 0; ; try++ {
		err := h.readManifest(ctx, what, id, &raw, &contentType)
		if err == nil {
			break
		}
		if try >= h.o.retries() || !errors.Is(err, errCut) {
			return nil, err
		}
		if err := sleep(ctx, pause(h.o.backoff(), try)); err != nil {
			return nil, err
		}
	}
	if want, err := layerstore.ParseDigest(id); err == nil && layerstore.DigestOf(raw) != want {
		return nil, &layerstore.DigestError{Want: want, Got: layerstore.DigestOf(raw)}
	}
	return parseDocument(what, raw, contentType)
}

// errCut says that an answer began and didn't end.
var errCut = errors.New("the answer was cut off")

func (h *host) readManifest(ctx context.Context, what, id string, raw *[]byte, contentType *string) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	res, err := h.get(ctx, "manifests/"+id, http.Header{"Accept": {accepted}}, http.StatusOK)
	if err != nil {
		return err
	}
	body := newLively(ctx, end, res.Body, h.o.stall())
	defer body.Close()
	*contentType = res.Header.Get("Content-Type")
	*raw, err = readLimited("the manifest of "+what, body, maxManifest)
	if err != nil && passing(err) {
		return fmt.Errorf("%w: %w", errCut, err)
	}
	return err
}

// blob opens a blob from offset on.
func (h *host) blob(ctx context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	return openAt(ctx, d, offset, h.o.stall(), func(ctx context.Context, header http.Header, codes ...int) (*http.Response, error) {
		return h.get(ctx, "blobs/"+d.Digest.String(), header, codes...)
	})
}
