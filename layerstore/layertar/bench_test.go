package layertar_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"unionfs/layerstore/layertar"
)

// rootLike is an archive with the sizes of a small root file system: many small
// files, a few large ones.
func rootLike(b *testing.B) []byte {
	b.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(h tar.Header, size int) {
		h.Size, h.ModTime, h.Uname = int64(size), time.Unix(1000, 0), "root"
		if err := w.WriteHeader(&h); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte{'x'}, size)); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 300 {
		at := fmt.Sprintf("usr/share/%d/", i)
		add(tar.Header{Typeflag: tar.TypeDir, Name: at, Mode: 0o755}, 0)
		for j := range 20 {
			add(tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprint(at, j), Mode: 0o644}, 200<<(j%8))
		}
	}
	for i := range 20 {
		add(tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprint("lib/", i), Mode: 0o755}, 2<<20)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

func BenchmarkUnpack(b *testing.B) {
	archive := rootLike(b)
	codec := codecFor(b, b.TempDir())
	b.SetBytes(int64(len(archive)))
	for i := 0; b.Loop(); i++ {
		dir := filepath.Join(b.TempDir(), fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		_, err := layertar.Unpack(context.Background(), bytes.NewReader(archive), openDir(b, dir), layertar.UnpackOptions{IDs: ids(), Codec: codec})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnpackByTar is what to compare with.
func BenchmarkUnpackByTar(b *testing.B) {
	archive := rootLike(b)
	b.SetBytes(int64(len(archive)))
	for b.Loop() {
		c := exec.Command("tar", "-xpf", "-", "-C", b.TempDir())
		c.Stdin = bytes.NewReader(archive)
		if out, err := c.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}

func BenchmarkPack(b *testing.B) {
	u := unpack(b, rootLike(b))
	fd := openDir(b, u.dir)
	for b.Loop() {
		if err := layertar.PackTree(context.Background(), io.Discard, fd, ids()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestManyFilesInOrder: what meets what came before waits for it, whatever the
// workers do.
func TestManyFilesInOrder(t *testing.T) {
	var list []any
	for i := range 2000 {
		list = append(list, file(fmt.Sprintf("d%d/f", i%50)), strings.Repeat("x", i))
		if i%7 == 0 {
			list = append(list, link(fmt.Sprintf("d%d/l%d", i%50, i%3), fmt.Sprintf("d%d/f", i%50)))
		}
		if i%97 == 0 {
			list = append(list, file(fmt.Sprintf("d%d", i%50)), "", dir(fmt.Sprintf("d%d", i%50)))
		}
	}
	archive := entries(t, list...)
	want := shape(t, unpack(t, archive))
	for range 5 {
		if got := shape(t, unpack(t, archive)); got != want {
			t.Fatal("the same archive made two trees")
		}
	}
	for i := 1950; i < 2000; i++ {
		if name := fmt.Sprintf("d%d/f=%s ", i%50, strings.Repeat("x", i)); i%97 != 0 && !strings.Contains(want+" ", name) {
			t.Errorf("d%d/f isn't the last one of its name", i%50)
		}
	}
}

// TestLargeFile goes through the buffers of files that don't fit into one.
func TestLargeFile(t *testing.T) {
	data := make([]byte, 5<<20+123)
	for i := range data {
		data[i] = byte(i * i >> 7)
	}
	u := unpack(t, entries(t, file("large"), string(data), file("small"), "1"))
	got, err := os.ReadFile(filepath.Join(u.dir, "large"))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("its data is wrong (%v)", err)
	}
	if u.sum.Bytes != int64(len(data))+1 || u.sum.Entries != 2 {
		t.Errorf("summary: %+v", u.sum)
	}
}

// TestDeepPath: a path of PATH_MAX is made, packed and found again.
func TestDeepPath(t *testing.T) {
	path := strings.Repeat(strings.Repeat("d", 200)+"/", 20) + strings.Repeat("f", 70)
	u := unpack(t, entries(t, file(path), "deep"))
	if got := shape(t, u); !strings.HasSuffix(got, path+"=deep") {
		t.Errorf("got %.100s…", got)
	}
}
