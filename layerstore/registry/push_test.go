package registry

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
)

func push(t testing.TB, s *layerstore.Store, what, dest string, o Options) {
	t.Helper()
	d, err := Push(context.Background(), s, what, dest, o)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := s.Find(what); err != nil || f.Manifest.Digest != d {
		t.Errorf("pushed %s, which is not the manifest of %s (%v)", d, what, err)
	}
}

// TestPushPull: what is pushed is what was pulled, byte for byte.
func TestPushPull(t *testing.T) {
	from, to := startRegistry(t), startRegistry(t)
	for name, img := range map[string]image{"docker": smallImage(t, 1), "oci": ociImage(t, 10)} {
		img.put(t, from.host+"/"+name+":1")
		s, other := openStore(t), openStore(t)
		pull(t, s, from.host+"/"+name+":1", quick())
		push(t, s, from.host+"/"+name+":1", to.host+"/deep/"+name+":2", quick())
		pull(t, other, to.host+"/deep/"+name+"@"+string(img.digest()), quick())
		pull(t, other, to.host+"/deep/"+name+":2", quick())
		holds(t, other, to.host+"/deep/"+name+":2", img)

		to.forget()
		push(t, s, from.host+"/"+name+":1", to.host+"/deep/"+name+":3", quick())
		if n := to.count("PATCH"); n != 0 {
			t.Errorf("%d blobs were sent although all are there", n)
		}
	}
}

// TestPushProgress: layers that must move and layers that need not.
func TestPushProgress(t *testing.T) {
	from, to := startRegistry(t), startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, from.host+"/x:1")
	s := openStore(t)
	pull(t, s, from.host+"/x:1", quick())
	for _, want := range []Step{Finished, Exists} {
		var ends [2]atomic.Int32
		o := quick()
		o.Progress = func(e Event) {
			for i, l := range img.layers {
				if e.Blob == layerstore.DigestOf(l.packed) && e.Step == want {
					ends[i].Add(1)
				}
			}
		}
		push(t, s, from.host+"/x:1", to.host+"/x:1", o)
		if ends[0].Load() != 1 || ends[1].Load() != 1 {
			t.Errorf("ended by %v: %d and %d times", want, ends[0].Load(), ends[1].Load())
		}
	}
}

// TestPushFaults: uploads that fail in the middle are begun anew.
func TestPushFaults(t *testing.T) {
	for _, c := range []struct {
		name, method, path string
		status             int
		header             string
	}{
		{"upload refused", "PATCH", "/blobs/uploads/", 500, ""},
		{"upload cut", "PATCH", "/blobs/uploads/", 0, ""},
		{"commit refused", "PUT", "/blobs/uploads/", 502, ""},
		{"too many uploads", "PATCH", "/blobs/uploads/", 429, "0"},
		{"beginning refused", "POST", "/blobs/uploads/", 503, ""},
		{"question refused", "HEAD", "/blobs/sha256:", 503, ""},
		{"manifest refused", "PUT", "/manifests/", 500, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := startRegistry(t), startRegistry(t)
			img := smallImage(t, 1)
			img.put(t, from.host+"/x:1")
			s := openStore(t)
			pull(t, s, from.host+"/x:1", quick())
			var left atomic.Int32
			left.Store(2)
			to.set(func() {
				to.before = func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method != c.method || !strings.Contains(r.URL.Path, c.path) || left.Add(-1) < 0 {
						return false
					}
					if c.status == 0 {
						panic(http.ErrAbortHandler) // closes the connection
					}
					if c.header != "" {
						w.Header().Set("Retry-After", c.header)
					}
					w.WriteHeader(c.status)
					return true
				}
			})
			push(t, s, from.host+"/x:1", to.host+"/x:1", quick())
			if left.Load() > 0 {
				t.Error("the fault never happened")
			}
			to.set(func() { to.before = nil })
			other := openStore(t)
			pull(t, other, to.host+"/x:1", quick())
			holds(t, other, to.host+"/x:1", img)
		})
	}
}

func TestPushErrors(t *testing.T) {
	from := startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, from.host+"/x:1")
	s := openStore(t)
	pull(t, s, from.host+"/x:1", quick())
	from.set(func() {
		from.before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		}
	})
	for _, c := range []struct{ what, dest, error string }{
		{"nothing", from.host + "/y:1", `no image "nothing"`},
		{from.host + "/x:1", from.host + "/y@" + string(img.digest()), "images are pushed by tag"},
		{from.host + "/x:1", "Y:1", "is no image name"},
		{from.host + "/x:1", from.host + "/y:1", "unionfs login " + from.host},
	} {
		if _, err := Push(context.Background(), s, c.what, c.dest, quick()); err == nil || !strings.Contains(err.Error(), c.error) {
			t.Errorf("push %s to %s: error %v, want %q", c.what, c.dest, err, c.error)
		}
	}
}

// TestPushMounts: layers that another repository of the registry has are asked
// of it, not sent.
func TestPushMounts(t *testing.T) {
	r := startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, r.host+"/old:1")
	var mounts atomic.Int32
	// The registry in process keeps no repositories apart: here they are.
	mounted := map[string]bool{}
	r.set(func() {
		r.before = func(w http.ResponseWriter, req *http.Request) bool {
			q := req.URL.Query()
			switch {
			case req.Method == http.MethodHead && strings.HasPrefix(req.URL.Path, "/v2/new/blobs/"):
				r.mu.Lock()
				defer r.mu.Unlock()
				if mounted[req.URL.Path] {
					return false
				}
				w.WriteHeader(http.StatusNotFound)
			case req.Method == http.MethodPost && q.Get("from") == "old":
				mounts.Add(1)
				r.mu.Lock()
				defer r.mu.Unlock()
				mounted["/v2/new/blobs/"+q.Get("mount")] = true
				w.WriteHeader(http.StatusCreated)
			default:
				return false
			}
			return true
		}
	})
	s := openStore(t)
	pull(t, s, r.host+"/old:1", quick())
	r.forget()
	push(t, s, r.host+"/old:1", r.host+"/new:1", quick())
	if n := mounts.Load(); n != 2 || r.count("PATCH") != 1 { // the config is sent
		t.Errorf("%d mounts and %d uploads", n, r.count("PATCH"))
	}
}

// TestPushDamaged: what isn't in the store any more can't be pushed.
func TestPushDamaged(t *testing.T) {
	r := startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, r.host+"/x:1")
	s := openStore(t)
	pull(t, s, r.host+"/x:1", quick())
	removeBlob(t, s, img.layers[0].descriptor())
	to := startRegistry(t)
	if _, err := Push(context.Background(), s, r.host+"/x:1", to.host+"/x:1", quick()); err == nil || !strings.Contains(err.Error(), "pull the image again") {
		t.Errorf("error %v", err)
	}
	pull(t, s, r.host+"/x:1", quick())
	push(t, s, r.host+"/x:1", to.host+"/x:1", quick())
}

func removeBlob(t testing.TB, s *layerstore.Store, d v1.Descriptor) {
	t.Helper()
	if err := os.Remove(s.BlobPath(layerstore.Digest(d.Digest.String()))); err != nil {
		t.Fatal(err)
	}
}
