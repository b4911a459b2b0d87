package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"unionfs/layerstore"
)

// quick are options for tests: nobody waits for long before the next try, and a busy
// machine isn't taken for a server that has fallen silent.
func quick() Options {
	return Options{Backoff: time.Millisecond, Stall: time.Minute}
}

func openStore(t testing.TB) *layerstore.Store {
	t.Helper()
	s, err := layerstore.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// layer is a layer made for a test.
type layer struct {
	plain  []byte
	packed []byte
	typ    types.MediaType
}

// tarOf is a tar with one file of incompressible bytes.
func tarOf(t testing.TB, file string, size int, seed uint64) []byte {
	t.Helper()
	var seeds [32]byte
	seeds[0], seeds[1] = byte(seed), byte(seed>>8)
	data := make([]byte, size)
	_, _ = rand.NewChaCha8(seeds).Read(data) // never fails
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	err := w.WriteHeader(&tar.Header{Name: file, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(size), ModTime: time.Unix(1, 0)})
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func makeLayer(t testing.TB, typ types.MediaType, file string, size int, seed uint64) layer {
	t.Helper()
	l := layer{plain: tarOf(t, file, size, seed), typ: typ}
	var out bytes.Buffer
	var w io.WriteCloser = nopCloser{&out}
	switch typ {
	case types.OCILayer, types.DockerLayer, types.DockerForeignLayer:
		w = gzip.NewWriter(&out)
	case types.OCILayerZStd:
		z, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := w.Write(l.plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l.packed = out.Bytes()
	return l
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func (l layer) descriptor() v1.Descriptor {
	return v1.Descriptor{MediaType: l.typ, Size: int64(len(l.packed)), Digest: hashOf(l.packed)}
}

func hashOf(b []byte) v1.Hash {
	h, _, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		panic(err) // bytes in memory
	}
	return h
}

// image is an image made for a test, byte for byte.
type image struct {
	manifest, config []byte
	typ              types.MediaType
	layers           []layer
}

func makeImage(t testing.TB, typ types.MediaType, platform v1.Platform, layers ...layer) image {
	t.Helper()
	cfg := v1.ConfigFile{OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}},
		Config: v1.Config{Cmd: []string{"/bin/sh"}}}
	m := v1.Manifest{SchemaVersion: 2, MediaType: typ, Layers: []v1.Descriptor{}, Annotations: map[string]string{"example.org/kept": "yes"}}
	for _, l := range layers {
		cfg.RootFS.DiffIDs = append(cfg.RootFS.DiffIDs, hashOf(l.plain))
		m.Layers = append(m.Layers, l.descriptor())
	}
	i := image{typ: typ, layers: layers}
	i.config = marshal(t, cfg)
	m.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(i.config)), Digest: hashOf(i.config)}
	if typ == types.DockerManifestSchema2 {
		m.Config.MediaType = types.DockerConfigJSON
	}
	// Odd white space, which must survive.
	i.manifest = append(marshal(t, m), "\n\n "...)
	return i
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.MarshalIndent(v, "", "   ")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (i image) digest() layerstore.Digest { return layerstore.DigestOf(i.manifest) }

// RawManifest and MediaType make it something that remote.Put takes.
func (i image) RawManifest() ([]byte, error) { return i.manifest, nil }

func (i image) MediaType() (types.MediaType, error) { return i.typ, nil }

// put puts an image into a registry under a tag or digest.
func (i image) put(t testing.TB, ref string) {
	t.Helper()
	at, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range i.layers {
		if err := remote.WriteLayer(at.Context(), static.NewLayer(l.packed, types.OCILayer)); err != nil {
			t.Fatal(err)
		}
	}
	if err := remote.WriteLayer(at.Context(), static.NewLayer(i.config, types.OCIConfigJSON)); err != nil {
		t.Fatal(err)
	}
	putRaw(t, at, i)
}

func putRaw(t testing.TB, at name.Reference, what remote.Taggable) {
	t.Helper()
	if err := remote.Put(at, what); err != nil {
		t.Fatal(err)
	}
}

// index is an index made for a test.
type index struct{ raw []byte }

func (i index) RawManifest() ([]byte, error) { return i.raw, nil }

func (i index) MediaType() (types.MediaType, error) { return types.OCIImageIndex, nil }

func (i image) entry(platform *v1.Platform) v1.Descriptor {
	return v1.Descriptor{MediaType: i.typ, Size: int64(len(i.manifest)), Digest: hashOf(i.manifest), Platform: platform}
}

// host is the platform that tests pull for without saying so.
func hostPlatform() v1.Platform { return Options{}.wanted() }

// smallImage is a docker image of two layers.
func smallImage(t testing.TB, seed uint64) image {
	t.Helper()
	return makeImage(t, types.DockerManifestSchema2, hostPlatform(),
		makeLayer(t, types.DockerLayer, "base", 100<<10, seed), makeLayer(t, types.DockerLayer, "top", 10<<10, seed+1))
}

// ociImage has layers of all compressions, one of them twice.
func ociImage(t testing.TB, seed uint64) image {
	t.Helper()
	twice := makeLayer(t, types.OCILayer, "twice", 1000, seed+3)
	return makeImage(t, types.OCIManifestSchema1, hostPlatform(),
		makeLayer(t, types.OCILayer, "gzip", 50<<10, seed), twice,
		makeLayer(t, types.OCILayerZStd, "zstd", 20<<10, seed+1),
		makeLayer(t, types.OCIUncompressedLayer, "plain", 10<<10, seed+2), twice)
}

// holds checks that the store has the image, byte for byte and unpacked.
func holds(t testing.TB, s *layerstore.Store, what string, want image) layerstore.Found {
	t.Helper()
	f, err := s.Find(what)
	if err != nil {
		t.Fatal(err)
	}
	if f.Manifest.Digest != want.digest() || f.Manifest.MediaType != string(want.typ) {
		t.Fatalf("%s has manifest %s (%s), want %s (%s)", what, f.Manifest.Digest, f.Manifest.MediaType, want.digest(), want.typ)
	}
	for _, raw := range [][]byte{want.manifest, want.config} {
		if got, err := s.ReadBlob(layerstore.DigestOf(raw)); err != nil || !bytes.Equal(got, raw) {
			t.Fatalf("blob %s: %q, %v", layerstore.DigestOf(raw), got, err)
		}
	}
	for i, l := range want.layers {
		if got, err := s.ReadBlob(layerstore.DigestOf(l.packed)); err != nil || !bytes.Equal(got, l.packed) {
			t.Fatalf("layer %d: %d bytes, %v", i, len(got), err)
		}
	}
	unpacked(t, s, f, want)
	return f
}

// unpacked checks the trees of an image.
func unpacked(t testing.TB, s *layerstore.Store, f layerstore.Found, want image) {
	t.Helper()
	for i, l := range want.layers {
		r := tar.NewReader(bytes.NewReader(l.plain))
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(s.LayerDir(f.Layers[i]), h.Name)); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("layer %d, file %s: %d bytes, %v", i, h.Name, len(got), err)
		}
	}
}

// sound lets the store check itself: every test that changes one ends so.
func sound(t testing.TB, s *layerstore.Store) {
	t.Helper()
	problems, err := s.Check(context.Background(), false, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("the store has a problem: %s", p.What)
	}
}
