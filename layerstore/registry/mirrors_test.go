package registry

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// mirrored are options with the given mirrors, and where warnings go.
func mirrored(mirrors ...string) (Options, func() string) {
	var mu sync.Mutex
	var lines []string
	o := quick()
	o.Retries = 1
	o.Mirrors = func(registry string) []string {
		if registry == "docker.io" {
			return mirrors
		}
		return nil
	}
	o.Warn = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}
	return o, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(lines, "\n")
	}
}

// TestMirror: docker.io itself is never reached in these tests.
func TestMirror(t *testing.T) {
	r := startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, r.host+"/library/x:1")
	img.put(t, r.host+"/hub/copy/library/x:1")
	for _, mirror := range []string{r.host, "http://" + r.host + "/", r.host + "/hub/copy"} {
		s := openStore(t)
		o, _ := mirrored("127.0.0.1:1", mirror)
		pull(t, s, "x:1", o)
		f := holds(t, s, "x:1", img)
		if f.Name != "docker.io/library/x:1" {
			t.Errorf("name %q", f.Name)
		}
	}
	if r.count("/hub/copy/library/x/manifests/1") == 0 {
		t.Error("the mirror's prefix was left out")
	}
}

// TestMirrorWithHoles: what one mirror lacks or gets wrong, the next one has.
func TestMirrorWithHoles(t *testing.T) {
	img := smallImage(t, 1)
	first, second := startRegistry(t), startRegistry(t)
	for _, r := range []*faulty{first, second} {
		img.put(t, r.host+"/library/x:1")
		r.forget()
	}
	first.set(func() {
		first.before = func(w http.ResponseWriter, req *http.Request) bool {
			switch {
			case strings.Contains(req.URL.Path, layerPath(img, 0)):
				w.WriteHeader(http.StatusNotFound)
			case strings.Contains(req.URL.Path, layerPath(img, 1)):
				_, _ = w.Write(make([]byte, len(img.layers[1].packed))) // the client may hang up
			default:
				return false
			}
			return true
		}
	})
	s := openStore(t)
	o, warned := mirrored(first.host, second.host)
	pull(t, s, "x:1", o)
	holds(t, s, "x:1", img)
	if second.count("/manifests/") != 0 || second.count("GET /v2/library/x/blobs/") != 2 {
		t.Errorf("requests to the second: %q", second.requests)
	}
	for _, word := range []string{"has no blob", "is not what its digest says"} {
		if !strings.Contains(warned(), word) {
			t.Errorf("warnings %q lack %q", warned(), word)
		}
	}
}

// TestMirrorsAndRegistryFail: the error is the registry's own.
func TestMirrorsAndRegistryFail(t *testing.T) {
	mirror, r := startRegistry(t), startRegistry(t)
	o := quick()
	o.Mirrors = func(string) []string { return []string{mirror.host} }
	_, err := Pull(context.Background(), openStore(t), r.host+"/x:1", o)
	if err == nil || !strings.Contains(err.Error(), r.host+" has no "+r.host+"/x:1") {
		t.Errorf("error %v", err)
	}
}

// TestBadMirror: a mirror's address that is none is said to be none.
func TestBadMirror(t *testing.T) {
	o, _ := mirrored("not a host")
	_, err := Pull(context.Background(), openStore(t), "x:1", o)
	if err == nil || !strings.Contains(err.Error(), `the mirror "not a host" of docker.io`) {
		t.Errorf("error %v", err)
	}
}

// TestSilentMirror: a mirror that takes connections and says nothing is left
// for the next one.
func TestSilentMirror(t *testing.T) {
	silent, r := startRegistry(t), startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, r.host+"/library/x:1")
	silent.set(func() {
		silent.before = func(_ http.ResponseWriter, req *http.Request) bool {
			<-req.Context().Done()
			return true
		}
	})
	s := openStore(t)
	o, warned := mirrored(silent.host, r.host)
	o.Stall = time.Second
	pull(t, s, "x:1", o)
	holds(t, s, "x:1", img)
	if !strings.Contains(warned(), silent.host+" doesn't answer in time") {
		t.Errorf("warnings %q", warned())
	}
}
