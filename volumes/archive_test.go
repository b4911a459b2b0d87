package volumes

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// archive makes a tar of headers; regular files have their names as text.
func archive(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		h.Mode, h.Uid, h.Gid = max(h.Mode, 0o644), 0, 0
		body := ""
		if h.Typeflag == tar.TypeReg {
			body, h.Size = h.Name, int64(len(h.Name))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestImportMerges(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, Options{})
	mustCreate(t, s, Request{Name: "v"})
	u := mustUse(t, s, "v", "1")
	for _, dir := range []string{"both/deep", "file"} {
		if err := os.MkdirAll(filepath.Join(u.Path(), dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(u.Path(), "both/mine"), "mine")
	write(t, filepath.Join(u.Path(), "both/f"), "mine")
	write(t, filepath.Join(u.Path(), "dir"), "mine")
	good := archive(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "both/", Typeflag: tar.TypeDir, Mode: 0o711},
		tar.Header{Name: "both/f", Typeflag: tar.TypeReg},
		tar.Header{Name: "both/deep/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "both/deep/g", Typeflag: tar.TypeReg},
		tar.Header{Name: "dir/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: ".wh.f", Typeflag: tar.TypeReg},
	)
	if err := u.Import(ctx, bytes.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"both/mine": "mine", "both/f": "both/f", "both/deep/g": "both/deep/g"} {
		if got := read(t, filepath.Join(u.Path(), name)); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if fi, err := os.Lstat(filepath.Join(u.Path(), "dir")); err != nil || !fi.IsDir() {
		t.Errorf("a directory in the place of a file: %v", err)
	}
	if fi, err := os.Lstat(filepath.Join(u.Path(), "both")); err != nil || fi.Mode().Perm() != 0o711 {
		t.Errorf("a directory's mode: %v", err)
	}
	bad := archive(t, tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}, tar.Header{Name: "file", Typeflag: tar.TypeReg})
	if err := u.Import(ctx, bytes.NewReader(bad)); err == nil || !strings.Contains(err.Error(), "file is a directory") {
		t.Errorf("a file in the place of a directory: %v", err)
	}
	for _, broken := range [][]byte{nil, good[:1538], []byte("nonsense")} {
		if err := u.Import(ctx, bytes.NewReader(broken)); err == nil {
			t.Errorf("%d bytes were imported", len(broken))
		}
	}
	names, err := namesIn(u.Path())
	for _, name := range names {
		if strings.HasPrefix(name, importPrefix) {
			t.Errorf("%s is left", name)
		}
	}
	if err != nil {
		t.Error(err)
	}
	release(t, u)
}

// TestImportStaysInside: whatever is in the archive, and in the volume, nothing
// beside the volume changes.
func TestImportStaysInside(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, Options{})
	outside := t.TempDir()
	write(t, filepath.Join(outside, "f"), "outside")
	mustCreate(t, s, Request{Name: "v"})
	u := mustUse(t, s, "v", "1")
	if err := os.Symlink(outside, filepath.Join(u.Path(), "there")); err != nil {
		t.Fatal(err)
	}
	for _, a := range [][]byte{
		archive(t, tar.Header{Name: "there/f", Typeflag: tar.TypeReg}),
		archive(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: outside}, tar.Header{Name: "l/f", Typeflag: tar.TypeReg}),
		archive(t, tar.Header{Name: "../../../../../../.." + outside + "/f", Typeflag: tar.TypeReg}),
		archive(t, tar.Header{Name: outside + "/f", Typeflag: tar.TypeReg}),
		archive(t, tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: outside + "/f"}),
	} {
		err := u.Import(ctx, bytes.NewReader(a)) // some are refused, some land inside
		t.Log(err)
		if got := read(t, filepath.Join(outside, "f")); got != "outside" {
			t.Fatalf("outside there is now %q", got)
		}
	}
	release(t, u)
}

// TestKilledImport: what a killed import left is gone with the next use.
func TestKilledImport(t *testing.T) {
	s := newStore(t, Options{})
	mustCreate(t, s, Request{Name: "v"})
	u := mustUse(t, s, "v", "1")
	if err := u.noteImport(true); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(u.Path(), importPrefix+"1")
	if err := os.MkdirAll(filepath.Join(left, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	release(t, u)
	u = mustUse(t, s, "v", "2")
	if _, err := os.Lstat(left); !os.IsNotExist(err) {
		t.Errorf("it is left: %v", err)
	}
	release(t, u)
}
