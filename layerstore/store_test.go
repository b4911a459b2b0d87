package layerstore

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	s.Warn = func(line string) { t.Log("warning:", line) }
	// A layer's directories may lack write permission.
	t.Cleanup(func() { _ = removeTree(s.root) })
	return s
}

func begin(t testing.TB, s *Store) *Stage {
	t.Helper()
	st, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return st
}

// tarOf makes an archive of files: "name" → content, "name/" is a directory.
func tarOf(t testing.TB, files ...[2]string) []byte {
	t.Helper()
	return must(archiveOf(files...))
}

func archiveOf(files ...[2]string) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f[0], Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f[1])), Uid: os.Geteuid(), Gid: os.Getegid()}
		if strings.HasSuffix(f[0], "/") {
			h.Typeflag, h.Mode, h.Size = tar.TypeDir, 0o755, 0
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, f[1]); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func addLayer(t testing.TB, st *Stage, archive []byte) LayerInfo {
	t.Helper()
	info, err := st.AddTar(t.Context(), func(w io.Writer) error {
		_, err := w.Write(archive)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// addImage makes an image of one layer an archive.
func addImage(t testing.TB, s *Store, name string, archives ...[]byte) Image {
	t.Helper()
	st := begin(t, s)
	defer st.Close()
	var a Assembly
	a.Config.OS, a.Config.Architecture = hostPlatform()
	if name != "" {
		whole, err := Normalize(name)
		if err != nil {
			t.Fatal(err)
		}
		a.Names = []string{whole}
	}
	for _, archive := range archives {
		a.Layers = append(a.Layers, addLayer(t, st, archive).Travels())
		a.Config.History = append(a.Config.History, v1.History{CreatedBy: "test"})
	}
	img, err := st.Assemble(a)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// wantWhole fails when a check finds anything.
func wantWhole(t testing.TB, s *Store) {
	t.Helper()
	found, err := s.Check(t.Context(), false, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found {
		t.Errorf("the store isn't whole: %s (%s)", p.What, p.Advice)
	}
}

func TestOpenTwice(t *testing.T) {
	s := newStore(t)
	again, err := Open(s.root)
	if err != nil {
		t.Fatal(err)
	}
	if again.info != s.info {
		t.Errorf("got %+v, want %+v", again.info, s.info)
	}
}

func TestOpenRefusesOtherVersions(t *testing.T) {
	s := newStore(t)
	if err := writeJSON(s.path("store.json"), storeInfo{Version: storeVersion + 1, IDs: s.info.IDs}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.root); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("got %v, want a word about the version", err)
	}
}

func TestOpenRefusesDamage(t *testing.T) {
	s := newStore(t)
	if err := os.WriteFile(s.path("store.json"), []byte("{"), fileMode); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.root); err == nil {
		t.Error("a damaged store.json was read")
	}
}

func TestLayerIsUnpackedAndPacked(t *testing.T) {
	s := newStore(t)
	archive := tarOf(t, [2]string{"etc/", ""}, [2]string{"etc/motd", "hello"})
	img := addImage(t, s, "x", archive)
	if want := DiffID(DigestOf(archive)); len(img.Layers) != 1 || img.Layers[0] != want {
		t.Fatalf("layers are %v, want %s", img.Layers, want)
	}
	text, err := os.ReadFile(filepath.Join(s.LayerDir(img.Layers[0]), "etc/motd"))
	if err != nil || string(text) != "hello" {
		t.Errorf("got %q, %v", text, err)
	}
	info, err := s.Layer(img.Layers[0])
	if err != nil || info.Size != 5 || info.Entries != 2 {
		t.Errorf("got %+v, %v", info, err)
	}
	f, err := s.OpenBlob(info.Blob)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := Decompress(f)
	if err != nil {
		t.Fatal(err)
	}
	back, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(back, archive) {
		t.Errorf("the blob doesn't unpack to the archive: %d bytes, %v", len(back), err)
	}
	wantWhole(t, s)
}

// A layer that is made twice, at once or later, is one layer.
func TestSameLayerTwice(t *testing.T) {
	s := newStore(t)
	archive := tarOf(t, [2]string{"a", "1"})
	one := addImage(t, s, "one", archive)
	two := addImage(t, s, "two", archive, tarOf(t, [2]string{"b", "2"}))
	if one.Layers[0] != two.Layers[0] {
		t.Error("the same archive made two layers")
	}
	layers, err := s.Layers()
	if err != nil || len(layers) != 2 {
		t.Errorf("%d layers are there, want 2 (%v)", len(layers), err)
	}
	u, err := s.Usage(nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Layer(one.Layers[0])
	if err != nil {
		t.Fatal(err)
	}
	if u.Shared != info.Size+info.Packed {
		t.Errorf("shared bytes are %d, want %d", u.Shared, info.Size+info.Packed)
	}
}

// An archive that isn't one leaves nothing.
func TestBadArchiveLeavesNothing(t *testing.T) {
	s := newStore(t)
	st := begin(t, s)
	_, err := st.AddTar(t.Context(), func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte("x"), 4096))
		return err
	})
	if err == nil {
		t.Fatal("rubbish became a layer")
	}
	st.Close()
	for _, folder := range []string{"layers", "blobs/sha256", "stages"} {
		if names, err := s.names(folder); err != nil || len(names) > 0 {
			t.Errorf("%s holds %v (%v)", folder, names, err)
		}
	}
}

func TestUnpackRefusesTheWrongLayer(t *testing.T) {
	s := newStore(t)
	st := begin(t, s)
	blob, err := st.PutBlob(tarOf(t, [2]string{"a", "1"}))
	if err != nil {
		t.Fatal(err)
	}
	other := DiffID(DigestOf([]byte("something else")))
	if _, err := st.Unpack(t.Context(), blob, other); err == nil || !strings.Contains(err.Error(), string(other)) {
		t.Errorf("got %v, want a word about %s", err, other)
	}
	if s.HasLayer(other) {
		t.Error("the layer is there")
	}
}
