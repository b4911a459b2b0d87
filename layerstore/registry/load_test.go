package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"unionfs/layerstore"
)

// file is one file of an archive made for a test.
type file struct {
	name string
	data []byte
	link string // a symlink to it
	hard string // a hard link to it
	kind byte
}

func archive(t testing.TB, files ...file) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f.data))}
		switch {
		case f.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		case f.hard != "":
			h.Typeflag, h.Linkname = tar.TypeLink, f.hard
		case f.kind != 0:
			h.Typeflag = f.kind
		}
		err := w.WriteHeader(h)
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// dockerFiles are the files of an archive of docker's, with the layers in the
// form that they have in the image.
func dockerFiles(t testing.TB, img image, tags ...string) []file {
	t.Helper()
	row := dockerImage{Config: layerstore.DigestOf(img.config).Hex() + ".json", RepoTags: tags}
	files := []file{{name: row.Config, data: img.config}}
	for i, l := range img.layers {
		name := fmt.Sprintf("%d/layer.tar", i)
		row.Layers = append(row.Layers, name)
		files = append(files, file{name: name, data: l.packed})
	}
	return append(files, file{name: "manifest.json", data: marshal(t, []dockerImage{row})})
}

// layoutFiles are the files of a layout with the given images, and rows for
// them in its index.
func layoutFiles(t testing.TB, rows []v1.Descriptor, images ...image) []file {
	t.Helper()
	files := []file{
		{name: "oci-layout", data: []byte(layoutMark)},
		{name: "index.json", data: marshal(t, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: rows})},
	}
	for _, img := range images {
		blobs := [][]byte{img.manifest, img.config}
		for _, l := range img.layers {
			blobs = append(blobs, l.packed)
		}
		for _, b := range blobs {
			files = append(files, file{name: blobName(layerstore.DigestOf(b)), data: b})
		}
	}
	return files
}

func named(d v1.Descriptor, annotations ...string) v1.Descriptor {
	d.Annotations = map[string]string{}
	for i := 0; i < len(annotations); i += 2 {
		d.Annotations[annotations[i]] = annotations[i+1]
	}
	return d
}

// TestLoadCompressed: archives come compressed, by file, by stream and by pipe.
func TestLoadCompressed(t *testing.T) {
	img := smallImage(t, 1)
	plain := archive(t, dockerFiles(t, img, "x:1")...)
	var gz, zs bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{g, z} {
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"plain": plain, "gzip": gz.Bytes(), "zstd": zs.Bytes(), "xz": xzOf(t, plain)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		fifo := path + ".fifo"
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		go func() {
			if err := os.WriteFile(fifo, data, 0o600); err != nil {
				t.Error(err)
			}
		}()
		for _, from := range []Source{{Path: path}, {Reader: bytes.NewReader(data)}, {Path: fifo}} {
			s := openStore(t)
			loaded := load(t, s, from)
			if len(loaded) != 1 || !slices.Equal(loaded[0].Names, []string{"docker.io/library/x:1"}) {
				t.Fatalf("%s: loaded %+v", from, loaded)
			}
			f, err := s.Find("x:1")
			if err != nil || layerstore.Digest(f.ID) != layerstore.DigestOf(img.config) {
				t.Fatalf("%s: %v, %v", from, f.ID, err)
			}
			unpacked(t, s, f, img)
			// Compressed layers stay as they are.
			if f.Manifest.Layers[0].Blob != layerstore.DigestOf(img.layers[0].packed) {
				t.Errorf("layer 0 is blob %s", f.Manifest.Layers[0].Blob)
			}
			sound(t, s)
			if stages, err := os.ReadDir(filepath.Join(s.Root(), "stages")); err != nil || len(stages) != 0 {
				t.Errorf("stages are left: %v, %v", stages, err)
			}
		}
	}
}

// TestLoadForeignLayers: layers in forms that no registry takes become what they take.
func TestLoadForeignLayers(t *testing.T) {
	img := smallImage(t, 2)
	files := dockerFiles(t, img, "x:1")
	packed := 0
	for i, f := range files {
		if r, err := gzip.NewReader(bytes.NewReader(f.data)); err == nil {
			plain, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			files[i].data = xzOf(t, plain)
			packed++
		}
	}
	if packed == 0 {
		t.Fatal("no layer was packed anew")
	}
	s := openStore(t)
	load(t, s, Source{Reader: bytes.NewReader(archive(t, files...))})
	f, err := s.Find("x:1")
	if err != nil {
		t.Fatal(err)
	}
	unpacked(t, s, f, img)
	for i, l := range f.Manifest.Layers {
		if l.MediaType != string(types.OCILayer) {
			t.Errorf("layer %d is %s", i, l.MediaType)
		}
	}
	sound(t, s)
}

func xzOf(t testing.TB, data []byte) []byte {
	var out bytes.Buffer
	w, err := xz.NewWriter(&out)
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

// TestLoadTwice: layers that are there are not read again, and the image is
// the same one.
func TestLoadTwice(t *testing.T) {
	img := smallImage(t, 1)
	s := openStore(t)
	load(t, s, Source{Reader: bytes.NewReader(archive(t, dockerFiles(t, img, "x:1")...))})
	load(t, s, Source{Reader: bytes.NewReader(archive(t, dockerFiles(t, img, "y:1", "z:1", "<none>:<none>")...))})
	f, err := s.Find("z:1")
	if err != nil || len(f.Names) != 3 || len(f.Manifests) != 1 {
		t.Errorf("found %+v, %v", f, err)
	}
	// The second archive needs no layers at all.
	files := dockerFiles(t, img, "w:1")
	files = slices.DeleteFunc(files, func(f file) bool { return strings.HasSuffix(f.name, "layer.tar") })
	load(t, s, Source{Reader: bytes.NewReader(archive(t, files...))})
	sound(t, s)
}

// TestLoadHybrid: archives of docker since version 25 are layouts too, which
// is where images keep their digests; what isn't there comes from
// manifest.json.
func TestLoadHybrid(t *testing.T) {
	one, two := ociImage(t, 1), smallImage(t, 10)
	other := makeImage(t, types.OCIManifestSchema1, v1.Platform{OS: "linux", Architecture: "s390x"}, makeLayer(t, types.OCILayer, "f", 10, 50))
	multi := image{typ: types.OCIImageIndex, manifest: marshal(t, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex,
		Manifests: []v1.Descriptor{one.entry(nil), other.entry(nil)}})}
	files := layoutFiles(t, []v1.Descriptor{multi.entry(nil)}, one)
	files = append(files, file{name: blobName(multi.digest()), data: multi.manifest})
	rows := []dockerImage{}
	for i, img := range []image{one, two} {
		row := dockerImage{Config: blobName(layerstore.DigestOf(img.config)), RepoTags: []string{fmt.Sprintf("img:%d", i)}}
		files = append(files, file{name: row.Config, data: img.config})
		for _, l := range img.layers {
			row.Layers = append(row.Layers, blobName(layerstore.DigestOf(l.packed)))
			files = append(files, file{name: blobName(layerstore.DigestOf(l.packed)), data: l.packed})
		}
		rows = append(rows, row)
	}
	files = append(files, file{name: "manifest.json", data: marshal(t, rows)})
	s := openStore(t)
	if loaded := load(t, s, Source{Reader: bytes.NewReader(archive(t, files...))}); len(loaded) != 2 {
		t.Fatalf("loaded %+v", loaded)
	}
	holds(t, s, "img:0", one)
	f, err := s.Find("img:1")
	if err != nil || layerstore.Digest(f.ID) != layerstore.DigestOf(two.config) {
		t.Fatalf("found %+v, %v", f, err)
	}
	unpacked(t, s, f, two)
	sound(t, s)
}

// TestLoadLegacy: archives from before docker 1.10, with a folder per layer.
func TestLoadLegacy(t *testing.T) {
	base, top := makeLayer(t, types.DockerUncompressedLayer, "base", 1000, 1), makeLayer(t, types.DockerUncompressedLayer, "top", 100, 2)
	files := []file{
		{name: "aaa", kind: tar.TypeDir},
		{name: "aaa/VERSION", data: []byte("1.0")},
		{name: "aaa/json", data: []byte(`{"id":"aaa","created":"2014-01-01T00:00:00Z","container_config":{"Cmd":["/bin/sh","-c","#(nop) ADD file"]},"os":"linux","architecture":"amd64"}`)},
		{name: "./aaa/layer.tar", data: base.plain},
		{name: "bbb/json", data: []byte(`{"id":"bbb","parent":"aaa","created":"2014-01-02T00:00:00Z","config":{"Cmd":["/bin/top"],"Env":["A=b"]},"author":"ann"}`)},
		{name: "bbb/layer.tar", data: top.plain},
		{name: "ccc/json", data: []byte(`{"id":"ccc","parent":"bbb","created":"2014-01-03T00:00:00Z"}`)},
		{name: "ccc/layer.tar", link: "../aaa/layer.tar"},
		{name: "repositories", data: []byte(`{"old":{"1":"bbb","latest":"bbb"},"quay.io/older":{"2":"ccc"}}`)},
	}
	s := openStore(t)
	o := quick()
	steps := map[layerstore.Digest][]Step{}
	o.Jobs, o.Progress = 1, func(e Event) { steps[e.Blob] = append(steps[e.Blob], e.Step) }
	loaded, err := Load(context.Background(), s, Source{Reader: bytes.NewReader(archive(t, files...))}, o)
	if err != nil || len(loaded) != 2 {
		t.Fatalf("loaded %+v, %v", loaded, err)
	}
	for id, layer := range map[string][]Step{"base": steps[layerstore.DigestOf(base.plain)], "top": steps[layerstore.DigestOf(top.plain)]} {
		if !slices.Contains(layer, Finished) {
			t.Errorf("progress of %s: %v", id, layer)
		}
	}
	if nameless := steps[""]; nameless != nil {
		t.Errorf("progress of no layer: %v", nameless)
	}
	f, err := s.Find("old")
	if err != nil || !slices.Equal(f.Names, []string{"docker.io/library/old:1", "docker.io/library/old:latest"}) {
		t.Fatalf("found %+v, %v", f, err)
	}
	unpacked(t, s, f, image{layers: []layer{base, top}})
	cfg, err := s.Config(f.ID)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.OS != "linux" || cfg.Architecture != "amd64" || cfg.Author != "ann" || cfg.Config.Cmd[0] != "/bin/top" || cfg.Config.Env[0] != "A=b" ||
		len(cfg.History) != 2 || cfg.History[0].CreatedBy != "/bin/sh -c #(nop) ADD file" || cfg.Created.Day() != 2 {
		t.Errorf("config %+v", cfg)
	}
	f, err = s.Find("quay.io/older:2")
	if err != nil {
		t.Fatal(err)
	}
	unpacked(t, s, f, image{layers: []layer{base, top, base}})
	sound(t, s)
	again, err := Load(context.Background(), openStore(t), Source{Reader: bytes.NewReader(archive(t, files...))}, o)
	if err != nil || again[0].ID != loaded[0].ID {
		t.Errorf("the id is another the second time: %v", err)
	}
}

// TestLoadLayoutNames: how layouts name images, and how one is picked.
func TestLoadLayoutNames(t *testing.T) {
	a, b := ociImage(t, 1), smallImage(t, 10)
	other := makeImage(t, types.OCIManifestSchema1, v1.Platform{OS: "linux", Architecture: "s390x"}, makeLayer(t, types.OCILayer, "f", 10, 50))
	host := hostPlatform()
	sbom := image{typ: types.OCIManifestSchema1, manifest: []byte(`{"schemaVersion":2,"config":{"mediaType":"application/x-sbom","digest":"sha256:` + strings.Repeat("0", 64) + `","size":2},"layers":[]}`)}
	rows := []v1.Descriptor{
		named(a.entry(nil), containerdName, "example.org/a:1", refName, "1"),
		named(b.entry(nil), refName, "example.org/b:1"),
		named(b.entry(&host), refName, "both"),
		named(other.entry(&v1.Platform{OS: "linux", Architecture: "s390x"}), refName, "both"),
		sbom.entry(nil),
		named(other.entry(nil), "vnd.docker.reference.type", "attestation-manifest"),
	}
	data := archive(t, layoutFiles(t, rows, a, b, other, sbom)...)
	for _, c := range []struct {
		ref   string
		names [][]string
		error string
	}{
		{"", [][]string{{"example.org/a:1"}, {"example.org/b:1"}}, ""},
		{"1", [][]string{{"example.org/a:1"}}, ""},
		{"example.org/b:1", [][]string{{"example.org/b:1"}}, ""},
		{"both", [][]string{nil}, ""},
		{"none", nil, `it has no image "none"`},
	} {
		s := openStore(t)
		loaded, err := Load(context.Background(), s, Source{Reader: bytes.NewReader(data), Ref: c.ref}, quick())
		if (err != nil) != (c.error != "") || err != nil && !strings.Contains(err.Error(), c.error) {
			t.Errorf("%q: error %v", c.ref, err)
			continue
		}
		var names [][]string
		for _, l := range loaded {
			names = append(names, l.Names)
		}
		if !slices.EqualFunc(names, c.names, slices.Equal) {
			t.Errorf("%q: names %q, want %q", c.ref, names, c.names)
		}
		if c.ref == "" {
			holds(t, s, "example.org/a:1", a)
			holds(t, s, "example.org/b:1", b)
		}
		sound(t, s)
	}
}

func TestParseSource(t *testing.T) {
	for word, want := range map[string]Source{
		"x.tar":                     {Path: "x.tar"},
		"with:colon.tar":            {Path: "with:colon.tar"},
		"oci:dir":                   {Path: "dir"},
		"oci:dir:a/b:1":             {Path: "dir", Ref: "a/b:1"},
		"docker-archive:/x.tar:b:2": {Path: "/x.tar", Ref: "b:2"},
		"oci-archive:x.tar":         {Path: "x.tar"},
	} {
		if got := ParseSource(word); got != want {
			t.Errorf("%q: %+v, want %+v", word, got, want)
		}
	}
}

// TestLoadPush: an image that came without manifest has one to be pushed by,
// which keeps the image's id.
func TestLoadPush(t *testing.T) {
	r := startRegistry(t)
	plain := makeImage(t, types.DockerManifestSchema2, hostPlatform(),
		makeLayer(t, types.DockerUncompressedLayer, "a", 1000, 1), makeLayer(t, types.OCILayerZStd, "b", 1000, 2))
	s := openStore(t)
	load(t, s, Source{Reader: bytes.NewReader(archive(t, dockerFiles(t, plain, "x:1")...))})
	push(t, s, "x:1", r.host+"/x:1", quick())
	other := openStore(t)
	f := pull(t, other, r.host+"/x:1", quick())
	if layerstore.Digest(f.ID) != layerstore.DigestOf(plain.config) {
		t.Errorf("the image's id is %s", f.ID)
	}
	unpacked(t, other, f, plain)
	if types := []string{f.Manifest.Layers[0].MediaType, f.Manifest.Layers[1].MediaType}; !slices.Equal(types, []string{
		"application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.layer.v1.tar+zstd"}) {
		t.Errorf("layers of types %q", types)
	}
	sound(t, other)
}
