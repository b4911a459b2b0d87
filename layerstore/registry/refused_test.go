package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// TestRefusedImages: what is no image, or not what it says, is refused with a
// word that helps, and leaves nothing.
func TestRefusedImages(t *testing.T) {
	good := smallImage(t, 1)
	edit := func(change func(m *v1.Manifest)) []byte {
		m, err := v1.ParseManifest(strings.NewReader(string(good.manifest)))
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		return marshal(t, m)
	}
	layer0 := layerPath(good, 0)
	raw := func(s string) []byte { return []byte(s) }
	for _, c := range []struct {
		name     string
		manifest []byte
		typ      string
		status   int
		path     string // whose answer is replaced by body
		body     []byte
		error    string
	}{
		{name: "no such tag", status: 404, manifest: raw(`{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such tag"}]}`), error: "has no 127.0.0.1:PORT/x:1 (manifest unknown no such tag)"},
		{name: "no access", status: 401, manifest: raw(`{}`), error: "unionfs login 127.0.0.1:PORT"},
		{name: "denied", status: 403, manifest: raw(`{"errors":[{"code":"DENIED","message":"pay first"}]}`), error: "(denied pay first): if it exists, log in first with unionfs login 127.0.0.1:PORT"},
		{name: "server error", status: 500, manifest: raw(`<html>`), error: "127.0.0.1:PORT answers 500 Internal Server Error"},
		{name: "no JSON", manifest: raw("<html>"), error: "its manifest is no JSON"},
		{name: "schema 1", manifest: raw(`{"schemaVersion":1,"fsLayers":[]}`), typ: string(types.DockerManifestSchema1Signed), error: "schema version 1"},
		{name: "an image and an index", manifest: raw(`{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}`), error: "image and an index in one"},
		{name: "an artifact", manifest: edit(func(m *v1.Manifest) { m.Config.MediaType = "application/vnd.cncf.helm.config.v1+json" }), error: "it is an artifact of type application/vnd.cncf.helm.config.v1+json"},
		{name: "an artifact without config", manifest: edit(func(m *v1.Manifest) {
			m.Config.MediaType, m.ArtifactType = types.OCIEmptyJSON, "application/x-sbom"
		}), error: "artifact of type application/x-sbom"},
		{name: "an attestation", manifest: edit(func(m *v1.Manifest) { m.Layers[0].MediaType = "application/vnd.in-toto+json" }), error: "its layer 1 is no file system but application/vnd.in-toto+json"},
		{name: "encrypted", manifest: edit(func(m *v1.Manifest) { m.Layers[0].MediaType += "+encrypted" }), error: "is encrypted"},
		{name: "big manifest", manifest: append(edit(func(*v1.Manifest) {}), make([]byte, maxManifest)...), error: "more than 4194304 bytes"},
		{name: "big config", manifest: edit(func(m *v1.Manifest) { m.Config.Size = maxConfig + 1 }), error: "its config claims to have 16777217 bytes"},
		{name: "negative layer", manifest: edit(func(m *v1.Manifest) { m.Layers[0].Size = -1 }), error: "its layer 1 claims to have -1 bytes"},
		{name: "strange digest", manifest: []byte(strings.ReplaceAll(string(good.manifest), "sha256:", "sha512:")), error: "manifest can't be read"},
		{name: "short layer", manifest: edit(func(m *v1.Manifest) { m.Layers[0].Size += 10 }), error: "bytes, and its manifest says"},
		{name: "long layer", manifest: edit(func(m *v1.Manifest) { m.Layers[0].Size -= 10 }), error: "bytes, and its manifest says"},
		{name: "one layer too few", manifest: edit(func(m *v1.Manifest) { m.Layers = m.Layers[:1] }), error: "its config names 2 layers, and it has 1"},
		{name: "layers exchanged", manifest: edit(func(m *v1.Manifest) { m.Layers[0], m.Layers[1] = m.Layers[1], m.Layers[0] }), error: "the config says that it unpacks to"},
		{name: "wrong bytes", path: layer0, body: make([]byte, len(good.layers[0].packed)), error: "is not what its digest says"},
		{name: "missing layer", path: layer0, status: 404, error: "has no blob sha256:"},
		{name: "a config that is none", manifest: func() []byte {
			m := edit(func(m *v1.Manifest) {
				m.Config = good.layers[1].descriptor()
				m.Config.MediaType = types.DockerConfigJSON
			})
			return m
		}(), error: "its config can't be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startRegistry(t)
			good.put(t, r.host+"/x:1")
			path := c.path
			if path == "" {
				path = "/manifests/"
			}
			r.set(func() {
				r.before = func(w http.ResponseWriter, req *http.Request) bool {
					if !strings.Contains(req.URL.Path, path) {
						return false
					}
					w.Header().Set("Content-Type", c.typ)
					if c.typ == "" {
						w.Header().Set("Content-Type", string(good.typ))
					}
					if c.status != 0 {
						w.WriteHeader(c.status)
					}
					_, _ = w.Write(append(c.manifest, c.body...)) // the client may hang up
					return true
				}
			})
			s := openStore(t)
			o := quick()
			o.Retries = 1
			_, err := Pull(context.Background(), s, r.host+"/x:1", o)
			want := strings.ReplaceAll(c.error, "127.0.0.1:PORT", r.host)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("error %v\nwant  %s", err, want)
			}
			if images, err := s.Images(); err != nil || len(images) != 0 {
				t.Errorf("images %v, %v", images, err)
			}
			if c.path != "" && s.HasBlob(layerstore.DigestOf(good.layers[0].packed)) {
				t.Error("the wrong blob is in the store")
			}
		})
	}
}

// TestWrongManifestDigest: what is asked for by digest has that digest.
func TestWrongManifestDigest(t *testing.T) {
	r := startRegistry(t)
	one, two := smallImage(t, 1), smallImage(t, 5)
	one.put(t, r.host+"/x:1")
	r.set(func() {
		r.before = func(w http.ResponseWriter, req *http.Request) bool {
			if !strings.Contains(req.URL.Path, "/manifests/") {
				return false
			}
			w.Header().Set("Content-Type", string(one.typ))
			_, _ = w.Write(one.manifest) // the client may hang up
			return true
		}
	})
	_, err := Pull(context.Background(), openStore(t), r.host+"/x@"+string(two.digest()), quick())
	var wrong *layerstore.DigestError
	if !errors.As(err, &wrong) || wrong.Got != one.digest() {
		t.Errorf("error %v", err)
	}
}

// TestNobodyThere: errors of the way to a registry say what to do.
func TestNobodyThere(t *testing.T) {
	plain := startRegistry(t)
	for _, c := range []struct{ ref, error string }{
		{"no-such-host.invalid/x:1", `there is no host "no-such-host.invalid"`},
		{"127.0.0.1:1/x:1", "127.0.0.1:1 refuses connections"},
		{"127.0.0.1:1/X:1", "is no image name"},
		// Not loopback to us, so that plain HTTP isn't tried.
		{strings.Replace(plain.host, "127.0.0.1", "0.0.0.0", 1) + "/x:1", "--insecure"},
	} {
		o := quick()
		o.Retries = -1
		_, err := Pull(context.Background(), openStore(t), c.ref, o)
		if err == nil || !strings.Contains(err.Error(), c.error) {
			t.Errorf("%s: error %v, want %q", c.ref, err, c.error)
		}
	}
}
