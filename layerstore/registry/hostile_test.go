package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// replaced is files with one of them changed, or left out.
func replaced(files []file, name string, with *file) []file {
	var out []file
	for _, f := range files {
		if f.name != name {
			out = append(out, f)
		} else if with != nil {
			with.name = name
			out = append(out, *with)
		}
	}
	return out
}

// hostileArchives are archives that must be refused, and with which word.
func hostileArchives(t testing.TB) map[string]struct {
	data  []byte
	error string
} {
	img := smallImage(t, 1)
	docker := dockerFiles(t, img, "x:1")
	layout := layoutFiles(t, []v1.Descriptor{named(img.entry(nil), refName, "x:1")}, img)
	blob := blobName(layerstore.DigestOf(img.layers[0].packed))
	manifest := blobName(img.digest())
	tarred := func(files ...file) []byte { return archive(t, files...) }
	row := func(s string) []file { return replaced(docker, "manifest.json", &file{data: []byte(s)}) }
	index := func(rows ...v1.Descriptor) []file {
		return replaced(layout, "index.json", &file{data: marshal(t, v1.IndexManifest{SchemaVersion: 2, Manifests: rows})})
	}
	hollow := image{typ: types.OCIImageIndex}
	hollow.manifest = marshal(t, v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}})
	short := img.entry(nil)
	short.Size--
	whole := tarred(docker...)
	var gz bytes.Buffer
	g := gzip.NewWriter(&gz)
	if _, err := g.Write(whole); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	legacy := func(repositories, json string, layer file) []byte {
		layer.name = "aaa/layer.tar"
		return tarred(file{name: "repositories", data: []byte(repositories)}, file{name: "aaa/json", data: []byte(json)}, layer)
	}
	return map[string]struct {
		data  []byte
		error string
	}{
		"nothing":               {nil, "it is empty"},
		"no tar":                {bytes.Repeat([]byte("text"), 1000), "it is no tar archive"},
		"no files":              {tarred(), "it is empty"},
		"other files":           {tarred(file{name: "etc/passwd", data: []byte("x")}), "it holds no image"},
		"cut off":               {whole[:len(whole)/2], "cut off"},
		"cut off in gzip":       {gz.Bytes()[:gz.Len()/2], "unexpected EOF"},
		"name above":            {tarred(append(docker, file{name: "../evil"})...), `the name "../evil" leads out`},
		"name deep above":       {tarred(append(docker, file{name: "a/../../evil"})...), "leads out"},
		"absolute name":         {tarred(append(docker, file{name: "/etc/passwd"})...), "leads out"},
		"link above":            {tarred(replaced(docker, "0/layer.tar", &file{link: "../../../etc/shadow"})...), "leads out"},
		"absolute link":         {tarred(replaced(docker, "0/layer.tar", &file{link: "/etc/shadow"})...), "leads out"},
		"hard link above":       {tarred(replaced(docker, "0/layer.tar", &file{hard: "../x"})...), "leads out"},
		"link to itself":        {tarred(replaced(docker, "0/layer.tar", &file{link: "layer.tar"})...), "link to a link"},
		"dangling link":         {tarred(replaced(docker, "0/layer.tar", &file{link: "gone"})...), "0/layer.tar is missing"},
		"device":                {tarred(append(docker, file{name: "dev", kind: tar.TypeChar})...), "neither file, folder nor link"},
		"missing layer":         {tarred(replaced(docker, "0/layer.tar", nil)...), "its layer 0/layer.tar is missing"},
		"missing config":        {tarred(replaced(docker, layerstore.DigestOf(img.config).Hex()+".json", nil)...), "the config of x:1"},
		"wrong config":          {tarred(replaced(docker, layerstore.DigestOf(img.config).Hex()+".json", &file{data: []byte("{}")})...), "is not what its digest says"},
		"wrong layer":           {tarred(replaced(docker, "0/layer.tar", &file{data: img.layers[1].packed})...), "the config says that it unpacks to"},
		"wrong plain layer":     {tarred(replaced(docker, "0/layer.tar", &file{data: img.layers[1].plain})...), "is not what its digest says"},
		"layer that is no tar":  {tarred(replaced(docker, "0/layer.tar", &file{data: bytes.Repeat([]byte("text"), 1000)})...), "layer 0/layer.tar"},
		"config outside":        {tarred(row(`[{"Config":"../../etc/passwd","Layers":[]}]`)...), "leads out"},
		"layer outside":         {tarred(row(`[{"Config":"` + layerstore.DigestOf(img.config).Hex() + `.json","Layers":["/etc/passwd","1/layer.tar"]}]`)...), "leads out"},
		"bad name":              {tarred(row(`[{"Config":"x","RepoTags":["UPPER:1"],"Layers":[]}]`)...), `"UPPER:1" is no image name`},
		"too few layers":        {tarred(row(`[{"Config":"` + layerstore.DigestOf(img.config).Hex() + `.json","Layers":["0/layer.tar"]}]`)...), "names 2 layers, and it has 1"},
		"manifest.json is none": {tarred(row(`{}`)...), "manifest.json is not that of a docker archive"},
		"no images":             {tarred(row(`[]`)...), "it holds no image"},
		"big manifest.json":     {tarred(row(strings.Repeat(" ", maxConfig+1))...), "at most"},

		"layout: index is none":      {tarred(replaced(layout, "index.json", &file{data: []byte("x")})...), "index.json can't be read"},
		"layout: missing manifest":   {tarred(replaced(layout, manifest, nil)...), "is missing"},
		"layout: wrong manifest":     {tarred(replaced(layout, manifest, &file{data: append([]byte(" "), img.manifest...)})...), "is not what its digest says"},
		"layout: missing layer":      {tarred(replaced(layout, blob, nil)...), "is missing"},
		"layout: short layer":        {tarred(replaced(layout, blob, &file{data: img.layers[0].packed[1:]})...), "bytes, and its manifest says"},
		"layout: wrong layer":        {tarred(replaced(layout, blob, &file{data: make([]byte, len(img.layers[0].packed))})...), "is not what its digest says"},
		"layout: layer is a folder":  {tarred(replaced(layout, blob, &file{kind: tar.TypeDir})...), "is missing"},
		"layout: empty index in it":  {tarred(append(index(hollow.entry(nil)), file{name: blobName(hollow.digest()), data: hollow.manifest})...), "nothing for any known platform"},
		"layout: nothing in index":   {tarred(index()...), "it holds no image"},
		"layout: big claim":          {tarred(index(v1.Descriptor{Digest: short.Digest, Size: maxManifest + 1})...), "at most"},
		"legacy: no such layer":      {legacy(`{"x":{"1":"bbb"}}`, `{}`, file{}), "file does not exist"},
		"legacy: its own parent":     {legacy(`{"x":{"1":"aaa"}}`, `{"parent":"aaa"}`, file{}), "its own ancestor"},
		"legacy: id outside":         {legacy(`{"x":{"1":"../../etc"}}`, `{}`, file{}), "is no layer's id"},
		"legacy: bad name":           {legacy(`{"X":{"1":"aaa"}}`, `{}`, file{}), "is no image name"},
		"legacy: repositories wrong": {legacy(`[]`, `{}`, file{}), "repositories can't be read"},
		"legacy: json wrong":         {legacy(`{"x":{"1":"aaa"}}`, `[]`, file{}), "aaa/json can't be read"},
		"legacy: link above":         {legacy(`{"x":{"1":"aaa"}}`, `{}`, file{link: "../../x"}), "leads out"},
	}
}

// TestHostileArchives: refused with a word that says why, and nothing comes of
// them.
func TestHostileArchives(t *testing.T) {
	s := openStore(t)
	for name, c := range hostileArchives(t) {
		t.Run(name, func(t *testing.T) {
			loaded, err := Load(context.Background(), s, Source{Reader: bytes.NewReader(c.data)}, quick())
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Fatalf("error %v, want %q", err, c.error)
			}
			if images, err := s.Images(); err != nil || len(images) != 0 || len(loaded) != 0 {
				t.Errorf("images %v, %v", images, err)
			}
		})
	}
	sound(t, s)
}

// TestHostileFolder: links and pipes in a folder lead nowhere.
func TestHostileFolder(t *testing.T) {
	img := smallImage(t, 1)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, img.layers[0].packed, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	blob := blobName(layerstore.DigestOf(img.layers[0].packed))
	for _, f := range layoutFiles(t, []v1.Descriptor{img.entry(nil)}, img) {
		path := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, make := range []func(path string) error{
		func(path string) error { return os.Symlink(outside, path) },
		func(path string) error { return syscall.Mkfifo(path, 0o600) },
		func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(dir, blob)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(context.Background(), openStore(t), Source{Path: dir}, quick()); err == nil {
			t.Error("a layer came from where there is none")
		}
	}
}

// FuzzLoad: whatever the bytes are, Load ends, and what it lets in is sound.
func FuzzLoad(f *testing.F) {
	img := makeImage(f, types.OCIManifestSchema1, hostPlatform(), makeLayer(f, types.OCILayer, "f", 10, 1))
	f.Add(archive(f, dockerFiles(f, img, "x:1")...))
	f.Add(archive(f, layoutFiles(f, []v1.Descriptor{img.entry(nil)}, img)...))
	for _, c := range hostileArchives(f) {
		if len(c.data) < 16<<10 {
			f.Add(c.data)
		}
	}
	s := openStore(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		loaded, err := Load(context.Background(), s, Source{Reader: bytes.NewReader(data)}, quick())
		if err != nil {
			return
		}
		for _, l := range loaded {
			if _, err := s.Config(l.ID); err != nil {
				t.Error(err)
			}
			if _, err := s.RemoveImage(string(l.ID), true); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzDocument: no manifest is too strange to be read or refused.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{},"layers":[{}]}`), "")
	f.Add(smallImage(f, 1).manifest, string(types.OCIImageIndex))
	f.Fuzz(func(t *testing.T, raw []byte, contentType string) {
		d, err := parseDocument("x", raw, contentType)
		if err == nil && (d.image == nil) == (d.index == nil) {
			t.Errorf("%+v is both or neither", d)
		}
		if err == nil && d.image != nil {
			d.stored()
		}
	})
}
