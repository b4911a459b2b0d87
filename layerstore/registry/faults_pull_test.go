package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// TestCutTransfers: transfers that are cut off go on where they ended.
func TestCutTransfers(t *testing.T) {
	r := startRegistry(t)
	img := makeImage(t, types.OCIManifestSchema1, hostPlatform(), makeLayer(t, types.OCILayer, "big", 1<<20, 1))
	img.put(t, r.host+"/x:1")
	size := int64(len(img.layers[0].packed))
	for _, c := range []struct {
		name     string
		cut      int64
		noRange  bool
		before   func(w http.ResponseWriter, r *http.Request) bool
		most     int64 // bytes that may be served
		failures bool  // it may not succeed
	}{
		{name: "ranges", cut: size / 10, most: size + 1000},
		{name: "servers without ranges", cut: size/2 + 1000, noRange: true, most: 3 * size, failures: true},
		{name: "no satisfaction", cut: size / 2, most: 3 * size, failures: true,
			before: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Header.Get("Range") == "" {
					return false
				}
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return true
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.forget()
			r.set(func() { r.cut, r.noRange, r.before = c.cut, c.noRange, c.before })
			s := openStore(t)
			o := quick()
			o.Retries = 2
			_, err := Pull(context.Background(), s, r.host+"/x:1", o)
			if (err != nil) != c.failures {
				t.Fatalf("error %v", err)
			}
			if c.failures {
				r.set(func() { r.cut = 0 })
				pull(t, s, r.host+"/x:1", o)
			}
			holds(t, s, r.host+"/x:1", img)
			if n := r.bytes(); n < size || !c.failures && n > c.most {
				t.Errorf("%d bytes were served of a blob of %d", n, size)
			}
			left, err := os.ReadDir(filepath.Join(s.Root(), "partial"))
			if err != nil || len(left) > 0 {
				t.Errorf("partial files are left: %v, %v", left, err)
			}
		})
	}
}

// TestNextPullResumes: what a failed pull brought, the next one has.
func TestNextPullResumes(t *testing.T) {
	r := startRegistry(t)
	img := makeImage(t, types.OCIManifestSchema1, hostPlatform(), makeLayer(t, types.OCILayer, "big", 1<<20, 1))
	img.put(t, r.host+"/x:1")
	size := int64(len(img.layers[0].packed))
	r.set(func() { r.cut = size / 2 })
	s := openStore(t)
	o := quick()
	o.Retries = -1
	if _, err := Pull(context.Background(), s, r.host+"/x:1", o); err == nil {
		t.Fatal("a cut transfer gives no error")
	}
	if _, err := s.Find(r.host + "/x:1"); err == nil {
		t.Fatal("half an image is there")
	}
	r.forget()
	r.set(func() { r.cut = 0 })
	pull(t, s, r.host+"/x:1", o)
	if n := r.bytes(); n > size/2+1000 {
		t.Errorf("%d more bytes were served, want %d", n, size-size/2)
	}
	holds(t, s, r.host+"/x:1", img)
}

// TestSpoiltPartial: what is left of an older transfer may be of no use, and is
// then fetched anew.
func TestSpoiltPartial(t *testing.T) {
	r := startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, r.host+"/x:1")
	for name, garbage := range map[string][]byte{
		"short": make([]byte, 1000), "as long": make([]byte, len(img.layers[0].packed)), "long": make([]byte, 1<<20),
	} {
		s := openStore(t)
		partial := filepath.Join(s.Root(), "partial", layerstore.DigestOf(img.layers[0].packed).Hex())
		if err := os.WriteFile(partial, garbage, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Pull(context.Background(), s, r.host+"/x:1", quick()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		holds(t, s, r.host+"/x:1", img)
	}
}

// TestTokensEnd: a token that is refused in the middle is asked for anew.
func TestTokensEnd(t *testing.T) {
	dockerHome(t)
	r := startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, r.host+"/secret:1")
	r.set(func() { r.before = tokenAuth(r) })
	if err := Login(context.Background(), r.host, user, password, quick()); err != nil {
		t.Fatal(err)
	}
	var old sync.Map // tokens that are no good for blobs any more
	var refusals atomic.Int32
	inner := tokenAuth(r)
	r.set(func() {
		r.before = func(w http.ResponseWriter, req *http.Request) bool {
			if strings.Contains(req.URL.Path, "/blobs/") {
				if _, again := old.LoadOrStore(req.URL.Path, true); !again {
					refusals.Add(1)
					req.Header.Del("Authorization")
				}
			}
			return inner(w, req)
		}
	})
	s := openStore(t)
	pull(t, s, r.host+"/secret:1", quick())
	holds(t, s, r.host+"/secret:1", img)
	if refusals.Load() != 3 {
		t.Errorf("%d refusals, want one for each blob", refusals.Load())
	}
}

// TestPassingFaults: what is over after a while is waited for.
func TestPassingFaults(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		path   string
	}{
		{"500 for the manifest", 500, nil, "/manifests/"},
		{"502 for a blob", 502, nil, "/blobs/"},
		{"503 for the first request", 503, nil, "/v2/"},
		{"429", 429, http.Header{"Retry-After": {"0"}}, "/manifests/"},
		{"408", 408, nil, "/blobs/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startRegistry(t)
			img := smallImage(t, 1)
			img.put(t, r.host+"/x:1")
			var left atomic.Int32
			left.Store(2)
			r.set(func() {
				r.before = func(w http.ResponseWriter, req *http.Request) bool {
					if !strings.Contains(req.URL.Path, c.path) || left.Add(-1) < 0 {
						return false
					}
					for key, values := range c.header {
						w.Header()[key] = values
					}
					w.WriteHeader(c.status)
					return true
				}
			})
			s := openStore(t)
			pull(t, s, r.host+"/x:1", quick())
			holds(t, s, r.host+"/x:1", img)
		})
	}
}

// TestRetryAfter: a server that says when is believed.
func TestRetryAfter(t *testing.T) {
	r := startRegistry(t)
	smallImage(t, 1).put(t, r.host+"/x:1")
	var asked atomic.Int32
	for _, c := range []struct {
		after func() string
		least time.Duration
		error string
	}{
		{func() string { return "1" }, 900 * time.Millisecond, ""},
		{func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) }, 500 * time.Millisecond, ""},
		{func() string { return "3600" }, 0, "try again in 1h0m0s"},
	} {
		asked.Store(0)
		after := c.after()
		r.set(func() {
			r.before = func(w http.ResponseWriter, req *http.Request) bool {
				if !strings.Contains(req.URL.Path, "/manifests/") || asked.Add(1) > 1 {
					return false
				}
				w.Header().Set("Retry-After", after)
				w.WriteHeader(http.StatusTooManyRequests)
				return true
			}
		})
		start := time.Now()
		_, err := Pull(context.Background(), openStore(t), r.host+"/x:1", quick())
		if took := time.Since(start); took < c.least || took > time.Minute {
			t.Errorf("Retry-After: %s: it took %s", after, took)
		}
		if (err != nil) != (c.error != "") || err != nil && !strings.Contains(err.Error(), c.error) {
			t.Errorf("Retry-After: %s: error %v", after, err)
		}
	}
}

// TestStalledTransfer: a server that falls silent is left.
func TestStalledTransfer(t *testing.T) {
	r := startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, r.host+"/x:1")
	var stalls atomic.Int32
	r.set(func() {
		r.before = func(w http.ResponseWriter, req *http.Request) bool {
			if !strings.Contains(req.URL.Path, layerPath(img, 0)) || stalls.Add(1) > 1 {
				return false
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(img.layers[0].packed)))
			_, _ = w.Write(img.layers[0].packed[:1000]) // the client may be gone
			w.(http.Flusher).Flush()
			<-req.Context().Done()
			return true
		}
	})
	o := quick()
	o.Stall = time.Second
	s := openStore(t)
	pull(t, s, r.host+"/x:1", o)
	holds(t, s, r.host+"/x:1", img)
	if stalls.Load() < 2 {
		t.Error("nothing stalled")
	}
}

func layerPath(img image, i int) string {
	return "/blobs/" + img.layers[i].descriptor().Digest.String()
}

// TestCancelledPull ends at once, whatever is being waited for.
func TestCancelledPull(t *testing.T) {
	r := startRegistry(t)
	smallImage(t, 1).put(t, r.host+"/x:1")
	r.set(func() {
		r.before = func(w http.ResponseWriter, req *http.Request) bool {
			if strings.Contains(req.URL.Path, "/blobs/") {
				w.WriteHeader(http.StatusInternalServerError)
				return true
			}
			return false
		}
	})
	o := quick()
	o.Backoff = time.Hour
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := Pull(ctx, openStore(t), r.host+"/x:1", o)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Minute {
		t.Errorf("error %v after %s", err, time.Since(start))
	}
}
