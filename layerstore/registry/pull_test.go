package registry

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

func pull(t testing.TB, s *layerstore.Store, ref string, o Options) layerstore.Found {
	t.Helper()
	f, err := Pull(context.Background(), s, ref, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPull(t *testing.T) {
	r := startRegistry(t)
	for _, c := range []struct {
		name string
		img  image
	}{
		{"docker", smallImage(t, 1)},
		{"oci", ociImage(t, 10)},
		{"empty", makeImage(t, types.OCIManifestSchema1, hostPlatform())},
	} {
		t.Run(c.name, func(t *testing.T) {
			ref := r.host + "/test/" + c.name + ":1"
			c.img.put(t, ref)
			s := openStore(t)
			f := pull(t, s, ref, quick())
			if f.Name != ref || f.Manifest.Digest != c.img.digest() {
				t.Errorf("name %q, manifest %s", f.Name, f.Manifest.Digest)
			}
			holds(t, s, ref, c.img)

			r.forget()
			pull(t, s, ref, quick())
			if n := r.count("/blobs/"); n != 0 {
				t.Errorf("%d blobs were asked for although all are there", n)
			}
			byDigest := r.host + "/test/" + c.name + "@" + string(c.img.digest())
			pull(t, s, byDigest, quick())
			f = holds(t, s, byDigest, c.img)
			if !slices.Contains(f.Names, byDigest) {
				t.Errorf("names are %q", f.Names)
			}
			sound(t, s)
		})
	}
}

func TestPullSharedLayersOnce(t *testing.T) {
	r := startRegistry(t)
	base := makeLayer(t, types.OCILayer, "base", 1000, 1)
	one := makeImage(t, types.OCIManifestSchema1, hostPlatform(), base)
	two := makeImage(t, types.OCIManifestSchema1, hostPlatform(), base, makeLayer(t, types.OCILayer, "top", 1000, 2))
	one.put(t, r.host+"/one:1")
	two.put(t, r.host+"/two:1")
	s := openStore(t)
	pull(t, s, r.host+"/one:1", quick())
	pull(t, s, r.host+"/two:1", quick())
	if n := r.count("GET /v2/two/blobs/" + base.descriptor().Digest.String()); n != 0 {
		t.Error("a layer that is there was fetched again")
	}
	holds(t, s, r.host+"/two:1", two)
}

// TestPullOtherForm: the same tree in another form keeps that form too, or the
// image could not be pushed as it was.
func TestPullOtherForm(t *testing.T) {
	r := startRegistry(t)
	gz := makeLayer(t, types.OCILayer, "file", 1000, 1)
	zs := makeLayer(t, types.OCILayerZStd, "file", 1000, 1)
	one := makeImage(t, types.OCIManifestSchema1, hostPlatform(), gz)
	two := makeImage(t, types.OCIManifestSchema1, hostPlatform(), zs)
	one.put(t, r.host+"/x:gzip")
	two.put(t, r.host+"/x:zstd")
	s := openStore(t)
	pull(t, s, r.host+"/x:gzip", quick())
	pull(t, s, r.host+"/x:zstd", quick())
	holds(t, s, r.host+"/x:gzip", one)
	holds(t, s, r.host+"/x:zstd", two)
	sound(t, s)
}

func TestPullIndex(t *testing.T) {
	r := startRegistry(t)
	images := map[string]image{}
	var entries []v1.Descriptor
	for i, p := range []v1.Platform{
		{OS: "linux", Architecture: "arm", Variant: "v6"},
		{OS: "linux", Architecture: "arm", Variant: "v7"},
		{OS: "linux", Architecture: "arm64", Variant: "v8"},
		{OS: "linux", Architecture: "amd64"},
		{OS: "windows", Architecture: "amd64", OSVersion: "10.0.17763.1"},
		{OS: "unknown", Architecture: "unknown"},
	} {
		img := makeImage(t, types.OCIManifestSchema1, p, makeLayer(t, types.OCILayer, p.String(), 100, uint64(i)))
		img.put(t, r.host+"/multi@"+string(img.digest()))
		images[p.String()] = img
		entries = append(entries, img.entry(&p))
	}
	inner := index{marshal(t, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: entries})}
	at, err := name.ParseReference(r.host + "/multi:1")
	if err != nil {
		t.Fatal(err)
	}
	putRaw(t, at, inner)
	byDigest := r.host + "/multi@" + string(layerstore.DigestOf(inner.raw))
	for _, c := range []struct{ want, gives string }{
		{"linux/arm64", "linux/arm64/v8"},
		{"linux/arm64/v8", "linux/arm64/v8"},
		{"linux/arm64/v9", "linux/arm64/v8"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/arm/v7", "linux/arm/v7"},
		{"linux/arm/v6", "linux/arm/v6"},
		{"linux/arm/v8", "linux/arm/v7"},
		{"linux/amd64/v3", "linux/amd64"},
		{"windows/amd64", "windows/amd64:10.0.17763.1"},
		{"linux/arm/v5", ""},
		{"linux/s390x", ""},
		{"windows/amd64:10.0.20348.1", ""},
	} {
		t.Run(c.want, func(t *testing.T) {
			p, err := v1.ParsePlatform(c.want)
			if err != nil {
				t.Fatal(err)
			}
			o := quick()
			o.Platform = p
			s := openStore(t)
			f, err := Pull(context.Background(), s, byDigest, o)
			if c.gives == "" {
				if err == nil || !strings.Contains(err.Error(), "no "+c.want+" in") || !strings.Contains(err.Error(), "it has linux/arm/v6, linux/arm/v7, linux/arm64/v8, linux/amd64") || strings.Contains(err.Error(), "unknown") {
					t.Fatalf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.Manifest.Digest != images[c.gives].digest() {
				t.Errorf("manifest %s, want that of %s", f.Manifest.Digest, c.gives)
			}
			holds(t, s, byDigest, images[c.gives])
		})
	}
}

// TestPullOtherPlatform: an image without index must be what was asked for,
// and without a question gets in with a warning.
func TestPullOtherPlatform(t *testing.T) {
	r := startRegistry(t)
	img := makeImage(t, types.OCIManifestSchema1, v1.Platform{OS: "linux", Architecture: "s390x"}, makeLayer(t, types.OCILayer, "f", 10, 1))
	img.put(t, r.host+"/x:1")
	s := openStore(t)
	o := quick()
	o.Platform = &v1.Platform{OS: "linux", Architecture: "arm64"}
	if _, err := Pull(context.Background(), s, r.host+"/x:1", o); err == nil || !strings.Contains(err.Error(), "no linux/arm64 in "+r.host+"/x:1; it has linux/s390x") {
		t.Errorf("error %v", err)
	}
	var mu sync.Mutex
	var lines []string
	o = quick()
	o.Warn = func(line string) { mu.Lock(); defer mu.Unlock(); lines = append(lines, line) }
	pull(t, s, r.host+"/x:1", o)
	if len(lines) != 1 || !strings.Contains(lines[0], "is for linux/s390x") {
		t.Errorf("warnings %q", lines)
	}
}

func TestPullForeignLayer(t *testing.T) {
	r := startRegistry(t)
	foreign := makeLayer(t, types.DockerForeignLayer, "windows", 10<<10, 1)
	elsewhere := startRegistry(t)
	elsewhere.before = func(w http.ResponseWriter, req *http.Request) bool {
		if req.URL.Path != "/layer.tgz" {
			return false
		}
		if req.Header.Get("Authorization") != "" {
			t.Error("credentials went elsewhere")
		}
		_, _ = w.Write(foreign.packed) // a client that went away is the client's matter
		return true
	}
	img := makeImage(t, types.DockerManifestSchema2, hostPlatform(), foreign)
	m, err := v1.ParseManifest(strings.NewReader(string(img.manifest)))
	if err != nil {
		t.Fatal(err)
	}
	m.Layers[0].URLs = []string{elsewhere.URL + "/gone.tgz", elsewhere.URL + "/layer.tgz"}
	img.manifest = marshal(t, m)
	img.layers = nil
	img.put(t, r.host+"/foreign:1")
	img.layers = []layer{foreign}
	s := openStore(t)
	pull(t, s, r.host+"/foreign:1", quick())
	holds(t, s, r.host+"/foreign:1", img)
}

func TestPullProgress(t *testing.T) {
	r := startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, r.host+"/x:1")
	r.set(func() { r.cut = 60 << 10 })
	var mu sync.Mutex
	steps := map[layerstore.Digest][]Step{}
	last := map[layerstore.Digest]Event{}
	o := quick()
	o.Progress = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if s := steps[e.Blob]; len(s) == 0 || s[len(s)-1] != e.Step {
			steps[e.Blob] = append(s, e.Step)
		}
		last[e.Blob] = e
	}
	s := openStore(t)
	pull(t, s, r.host+"/x:1", o)
	want := [][]Step{{Begun, Moved, Retrying, Begun, Moved, Unpacking, Finished}, {Begun, Moved, Unpacking, Finished}}
	for i, l := range img.layers {
		d := layerstore.DigestOf(l.packed)
		if !slices.Equal(steps[d], want[i]) {
			t.Errorf("layer %d: steps %v, want %v", i, steps[d], want[i])
		}
		if e := last[d]; e.Done != int64(len(l.packed)) || e.Size != e.Done {
			t.Errorf("layer %d: %d of %d bytes, want %d", i, e.Done, e.Size, len(l.packed))
		}
	}
	if !slices.Equal(steps[img.digest()], []Step{Resolved}) {
		t.Errorf("steps of the manifest: %v", steps[img.digest()])
	}
	pull(t, s, r.host+"/x:1", o)
	if d := layerstore.DigestOf(img.layers[0].packed); last[d].Step != Exists {
		t.Errorf("the second time ends by %v", last[d].Step)
	}
}

// TestParallelLayers: the first layer comes when the second is asked for.
func TestParallelLayers(t *testing.T) {
	r := startRegistry(t)
	img := smallImage(t, 1)
	img.put(t, r.host+"/x:1")
	second := make(chan struct{})
	var once sync.Once
	r.set(func() {
		r.before = func(_ http.ResponseWriter, req *http.Request) bool {
			switch {
			case strings.Contains(req.URL.Path, layerPath(img, 1)):
				once.Do(func() { close(second) })
			case strings.Contains(req.URL.Path, layerPath(img, 0)):
				select {
				case <-second:
				case <-req.Context().Done():
				}
			}
			return false
		}
	})
	s := openStore(t)
	o := quick()
	o.Jobs = 2
	pull(t, s, r.host+"/x:1", o)
	holds(t, s, r.host+"/x:1", img)
}
