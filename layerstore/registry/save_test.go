package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// stocked is a store with two images of two names each.
func stocked(t testing.TB) (*layerstore.Store, map[string]image) {
	t.Helper()
	r := startRegistry(t)
	o := quick()
	o.Mirrors = func(string) []string { return []string{r.host} }
	s := openStore(t)
	images := map[string]image{"docker:1": smallImage(t, 1), "team/oci:2": ociImage(t, 10)}
	for name, img := range images {
		at := name
		if !strings.Contains(name, "/") {
			at = "library/" + name
		}
		img.put(t, r.host+"/"+at)
		pull(t, s, name, o)
		if err := s.Tag(name, "quay.io/also/"+name); err != nil {
			t.Fatal(err)
		}
	}
	return s, images
}

func save(t testing.TB, s *layerstore.Store, to Target, whats ...string) {
	t.Helper()
	if err := Save(context.Background(), s, whats, to, quick()); err != nil {
		t.Fatal(err)
	}
}

func load(t testing.TB, s *layerstore.Store, from Source) []Loaded {
	t.Helper()
	out, err := Load(context.Background(), s, from, quick())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSaveLoad: what is saved is loaded as it was: with its digests from OCI
// formats, with its ids from docker's.
func TestSaveLoad(t *testing.T) {
	s, images := stocked(t)
	whats := []string{"docker:1", "quay.io/also/docker:1", "team/oci:2"}
	for _, format := range []Format{DockerArchive, OCIArchive, OCIDir} {
		t.Run(string(format), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "saved")
			save(t, s, Target{Path: path, Format: format}, whats...)
			other := openStore(t)
			loaded := load(t, other, Source{Path: path})
			if len(loaded) != 2 || len(loaded[0].Names) != 2 || len(loaded[1].Names) != 1 {
				t.Fatalf("loaded %+v", loaded)
			}
			for _, name := range whats {
				img := images[strings.TrimPrefix(name, "quay.io/also/")]
				if format != DockerArchive {
					holds(t, other, name, img)
					continue
				}
				f, err := other.Find(name)
				if err != nil || layerstore.Digest(f.ID) != layerstore.DigestOf(img.config) {
					t.Fatalf("%s: %v, %v", name, f.ID, err)
				}
				unpacked(t, other, f, img)
			}
			sound(t, other)

			again := filepath.Join(t.TempDir(), "again")
			save(t, other, Target{Path: again, Format: format}, whats...)
			same(t, path, again)
		})
	}
}

// same compares two files or folders byte for byte.
func same(t *testing.T, one, two string) {
	t.Helper()
	err := filepath.WalkDir(one, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		other := two + strings.TrimPrefix(path, one)
		a, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(other)
		if err == nil && !bytes.Equal(a, b) {
			t.Errorf("%s and %s differ", path, other)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSaveStream: to a pipe, and loaded from one.
func TestSaveStream(t *testing.T) {
	s, images := stocked(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		err := Save(context.Background(), s, []string{"team/oci:2"}, Target{Writer: w, Format: OCIArchive}, quick())
		if err != nil {
			t.Error(err)
		}
		w.Close()
	}()
	other := openStore(t)
	load(t, other, Source{Reader: r})
	holds(t, other, "team/oci:2", images["team/oci:2"])
}

// TestSaveToPipe: what can't be replaced is written to.
func TestSaveToPipe(t *testing.T) {
	s, images := stocked(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		done <- Save(context.Background(), s, []string{"team/oci:2"}, Target{Path: fifo, Format: OCIArchive}, quick())
	}()
	other := openStore(t)
	load(t, other, Source{Path: fifo})
	if err := <-done; err != nil {
		t.Error(err)
	}
	holds(t, other, "team/oci:2", images["team/oci:2"])
	if fi, err := os.Lstat(fifo); err != nil || fi.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("the pipe is %v, %v", fi, err)
	}
}

func TestParseFormat(t *testing.T) {
	for word, want := range map[string]Format{"": DockerArchive, "docker-archive": DockerArchive, "oci-archive": OCIArchive, "oci-dir": OCIDir} {
		if got, err := ParseFormat(word); err != nil || got != want {
			t.Errorf("%q: %q, %v", word, got, err)
		}
	}
	if _, err := ParseFormat("zip"); err == nil || !strings.Contains(err.Error(), "docker-archive, oci-archive and oci-dir") {
		t.Errorf("error %v", err)
	}
}

// TestSaveByID: an image that is asked for by id has no names in the archive.
func TestSaveByID(t *testing.T) {
	s, _ := stocked(t)
	f, err := s.Find("docker:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []Format{DockerArchive, OCIArchive} {
		path := filepath.Join(t.TempDir(), "saved")
		save(t, s, Target{Path: path, Format: format}, f.ID.Short())
		other := openStore(t)
		if loaded := load(t, other, Source{Path: path}); len(loaded) != 1 || loaded[0].ID != f.ID || len(loaded[0].Names) != 0 {
			t.Errorf("%s: loaded %+v", format, loaded)
		}
	}
}

func TestSaveErrors(t *testing.T) {
	s, images := stocked(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		whats []string
		to    Target
		error string
	}{
		{nil, Target{Path: filepath.Join(dir, "x")}, "no image is named"},
		{[]string{"nothing"}, Target{Path: filepath.Join(dir, "x")}, `no image "nothing"`},
		{[]string{"docker:1"}, Target{Path: filepath.Join(dir, "x"), Format: "zip"}, `"zip" is no format`},
		{[]string{"docker:1"}, Target{Path: dir, Format: OCIDir}, "is not empty"},
		{[]string{"docker:1"}, Target{Path: dir}, "is a folder"},
		{[]string{"docker:1"}, Target{Writer: io.Discard, Format: OCIDir}, "needs a path"},
		{[]string{"docker:1"}, Target{Path: filepath.Join(dir, "none", "x")}, "no such file"},
	} {
		if err := Save(context.Background(), s, c.whats, c.to, quick()); err == nil || !strings.Contains(err.Error(), c.error) {
			t.Errorf("%q to %+v: error %v, want %q", c.whats, c.to, err, c.error)
		}
	}
	// A damaged store gives no archive, and the one of before stays.
	path := filepath.Join(dir, "archive")
	save(t, s, Target{Path: path}, "docker:1")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blob := s.BlobPath(layerstore.DigestOf(images["docker:1"].layers[1].packed))
	other := makeLayer(t, types.DockerLayer, "other", 10, 99)
	if err := os.WriteFile(blob, other.packed, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []Format{DockerArchive, OCIArchive} {
		if err := Save(context.Background(), s, []string{"docker:1"}, Target{Path: path, Format: format}, quick()); err == nil || !strings.Contains(err.Error(), "the store's copy is damaged") {
			t.Errorf("%s: error %v", format, err)
		}
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the archive of before is changed: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestSkopeoReadsOurs: another implementation reads what Save writes.
func TestSkopeoReadsOurs(t *testing.T) {
	s, images := stocked(t)
	dir := t.TempDir()
	save(t, s, Target{Path: filepath.Join(dir, "d.tar")}, "docker:1", "team/oci:2")
	save(t, s, Target{Path: filepath.Join(dir, "o.tar"), Format: OCIArchive}, "team/oci:2")
	save(t, s, Target{Path: filepath.Join(dir, "od.tar"), Format: OCIArchive}, "docker:1")
	save(t, s, Target{Path: filepath.Join(dir, "both.tar"), Format: OCIArchive}, "docker:1", "team/oci:2")
	save(t, s, Target{Path: filepath.Join(dir, "o"), Format: OCIDir}, "team/oci:2", "quay.io/also/team/oci:2")
	r := startRegistry(t)
	for _, c := range []struct{ from, name string }{
		{"docker-archive:" + dir + "/d.tar:docker:1", "docker:1"},
		{"docker-archive:" + dir + "/d.tar:team/oci:2", "team/oci:2"},
		{"oci-archive:" + dir + "/o.tar", "team/oci:2"},
		{"oci-archive:" + dir + "/both.tar:docker.io/team/oci:2", "team/oci:2"},
		// Skopeo finds manifests of docker's type in layouts, but not by name.
		{"oci-archive:" + dir + "/od.tar", "docker:1"},
		{"oci:" + dir + "/o:quay.io/also/team/oci:2", "team/oci:2"},
	} {
		img := images[c.name]
		var info struct{ Layers []string }
		if err := json.Unmarshal([]byte(skopeo(t, "inspect", c.from)), &info); err != nil || len(info.Layers) != len(img.layers) {
			t.Errorf("%s: layers %q, %v", c.from, info.Layers, err)
		}
		if got := skopeo(t, "inspect", "--raw", "--config", c.from); got != string(img.config) {
			t.Errorf("%s: config %s", c.from, got)
		}
		if strings.HasPrefix(c.from, "oci") {
			if got := skopeo(t, "inspect", "--raw", c.from); got != string(img.manifest) {
				t.Errorf("%s: manifest %s", c.from, got)
			}
		}
		// Skopeo unpacks and compares digests when it copies.
		skopeo(t, "copy", "--dest-tls-verify=false", c.from, "docker://"+r.host+"/from/skopeo:1")
		other := openStore(t)
		f := pull(t, other, r.host+"/from/skopeo:1", quick())
		unpacked(t, other, f, img)
	}
}

// TestLoadSkopeos: what another implementation writes is loaded.
func TestLoadSkopeos(t *testing.T) {
	r := startRegistry(t)
	// Docker's archives know no zstd, says skopeo.
	oci, docker := ociImage(t, 1), smallImage(t, 10)
	oci.put(t, r.host+"/oci:1")
	docker.put(t, r.host+"/docker:1")
	dir := t.TempDir()
	for _, c := range []struct {
		to, load, name string
		digests        bool
	}{
		{"docker-archive:" + dir + "/d.tar:example.org/x:1", dir + "/d.tar", "example.org/x:1", false},
		{"oci-archive:" + dir + "/o.tar:example.org/x:2", "oci-archive:" + dir + "/o.tar", "example.org/x:2", true},
		{"oci:" + dir + "/o:example.org/x:3", "oci:" + dir + "/o:example.org/x:3", "example.org/x:3", true},
		{"oci:" + dir + "/tag:latest", dir + "/tag", "", true},
	} {
		img, from := docker, "docker://"+r.host+"/docker:1"
		if c.digests {
			img, from = oci, "docker://"+r.host+"/oci:1"
		}
		args := []string{"copy", "--src-tls-verify=false", from, c.to}
		if c.digests {
			args = append(args, "--preserve-digests")
		}
		skopeo(t, args...)
		s := openStore(t)
		loaded := load(t, s, ParseSource(c.load))
		if len(loaded) != 1 {
			t.Fatalf("%s: loaded %+v", c.load, loaded)
		}
		if want := []string{c.name}; c.name != "" && !slices.Equal(loaded[0].Names, want) || c.name == "" && len(loaded[0].Names) > 0 {
			t.Errorf("%s: names %q, want %q", c.load, loaded[0].Names, want)
		}
		what := string(loaded[0].ID)
		if c.digests {
			holds(t, s, what, img)
			continue
		}
		f, err := s.Find(what)
		if err != nil || layerstore.Digest(f.ID) != layerstore.DigestOf(img.config) {
			t.Fatalf("%s: %v, %v", c.load, f.ID, err)
		}
		unpacked(t, s, f, img)
	}
}
