package layertar_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/layerstore/layertar"
	"unionfs/whiteout"
)

// ids is how this process can keep owners.
func ids() layertar.IDs {
	if unix.Geteuid() == 0 {
		return layertar.RealIDs
	}
	return layertar.SingleID
}

// openDir opens a directory until the test ends.
func openDir(t testing.TB, path string) int {
	t.Helper()
	fd, err := hostfs.OpenLayer(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hostfs.Close(fd) })
	return fd
}

// codecFor is the codec that the file system of dir takes.
func codecFor(t testing.TB, dir string) whiteout.Codec {
	t.Helper()
	codec, _, err := whiteout.Probe(openDir(t, dir), false)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

// unpacked is a tree that was made.
type unpacked struct {
	dir   string
	sum   layertar.Summary
	words []string
}

// unpackInto unpacks into a new directory.
func unpackInto(t testing.TB, archive []byte, o layertar.UnpackOptions) (unpacked, error) {
	t.Helper()
	u := unpacked{dir: filepath.Join(t.TempDir(), "tree")}
	if err := os.Mkdir(u.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if o.Codec == nil {
		o.Codec = codecFor(t, filepath.Dir(u.dir))
	}
	o.Warn = func(line string) { u.words = append(u.words, line) }
	var err error
	u.sum, err = layertar.Unpack(context.Background(), bytes.NewReader(archive), openDir(t, u.dir), o)
	return u, err
}

func unpack(t testing.TB, archive []byte) unpacked {
	t.Helper()
	u, err := unpackInto(t, archive, layertar.UnpackOptions{IDs: ids()})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// entries builds an archive. A header without a mode gets a usual one.
func entries(t testing.TB, list ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(list); i++ {
		h := list[i].(tar.Header)
		data := ""
		if i+1 < len(list) {
			if s, ok := list[i+1].(string); ok {
				data = s
				i++
			}
		}
		if h.Mode == 0 {
			h.Mode = 0o644
			if h.Typeflag == tar.TypeDir {
				h.Mode = 0o755
			}
		}
		if h.Size == 0 {
			h.Size = int64(len(data))
		}
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(1000, 0)
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func dir(name string) tar.Header  { return tar.Header{Typeflag: tar.TypeDir, Name: name} }
func file(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
func symlink(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
}
func link(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}
}

// ways are all ways in which this process can keep owners.
func ways() []layertar.IDs {
	if ids() == layertar.SingleID {
		return []layertar.IDs{layertar.SingleID}
	}
	return []layertar.IDs{layertar.RealIDs, layertar.SingleID}
}

func shape(t testing.TB, u unpacked) string { return shapeIn(t, u, ids()) }

// shapeIn lists a packed-again tree: what a union would show of it, one word an
// entry. It is the same whatever owners this process can keep.
func shapeIn(t testing.TB, u unpacked, how layertar.IDs) string {
	t.Helper()
	var b bytes.Buffer
	if err := layertar.PackTree(context.Background(), &b, openDir(t, u.dir), how); err != nil {
		t.Fatal(err)
	}
	var words []string
	r := tar.NewReader(&b)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return strings.Join(words, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		word := strings.TrimPrefix(h.Name, "./")
		switch h.Typeflag {
		case tar.TypeReg:
			if word += "=" + string(data); len(data) == 0 {
				word = h.Name
			}
		case tar.TypeSymlink:
			word += "->" + h.Linkname
		case tar.TypeLink:
			word += "==" + h.Linkname
		}
		if word != "" {
			words = append(words, word)
		}
	}
}
