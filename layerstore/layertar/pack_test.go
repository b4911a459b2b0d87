package layertar_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/fs/hostfs"
	"unionfs/layerstore/layertar"
)

// buildTree makes a tree from a description.
func buildTree(t testing.TB, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "built")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := fstest.Build(dir, text); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestForms: marks of every form become those of archives.
func TestForms(t *testing.T) {
	for _, format := range []string{"overlay", "xattr", "aufs"} {
		u := unpacked{dir: buildTree(t, "format "+format+`
file a/x "1"
whiteout a/gone
whiteout gone
opaque o
file o/y "2"
`)}
		if got, want := shape(t, u), "a/ a/.wh.gone a/x=1 .wh.gone o/ o/.wh..wh..opq o/y=2"; got != want {
			t.Errorf("%s: got %s, want %s", format, got, want)
		}
	}
	u := unpacked{dir: buildTree(t, "opaque o fuseoverlayfs\nfile o/y \"2\"\n")}
	if got, want := shape(t, u), "o/ o/.wh..wh..opq o/y=2"; got != want {
		t.Errorf("fuse-overlayfs: got %s, want %s", got, want)
	}
}

// TestNamesThatLayersCantHold: an error says so; nothing is lost in silence.
func TestNamesThatLayersCantHold(t *testing.T) {
	long := buildTree(t, "dir d\n")
	if err := hostfs.Mknod(openDir(t, long), strings.Repeat("x", 253), unix.S_IFCHR, 0); err != nil {
		t.Fatal(err)
	}
	for name, tree := range map[string]string{
		"file":          buildTree(t, "file .wh.x \"not empty\"\n"),
		"directory":     buildTree(t, "dir a/.wh.x\n"),
		"long whiteout": long,
	} {
		err := layertar.PackTree(context.Background(), io.Discard, openDir(t, tree), ids())
		var bad *layertar.NameError
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMergedWithoutUpper: an image alone can be exported, and has no changes.
func TestMergedWithoutUpper(t *testing.T) {
	src := layertar.Source{Upper: -1, Work: -1, IDs: ids(), Lowers: []int{
		openDir(t, buildTree(t, "file a/x \"2\"\nwhiteout a/z\n")),
		openDir(t, buildTree(t, "file a/x \"1\"\nfile a/y \"1\"\nfile a/z \"1\"\nhardlink b = a/y\n")),
	}}
	if got, want := shape(t, unpack(t, packed(t, src, packMerged))), "a/ a/x=2 a/y=1 b==a/y"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := layertar.Pack(context.Background(), io.Discard, src); err == nil {
		t.Error("changes were packed without an upper")
	}
	if _, err := layertar.Changes(context.Background(), src); err == nil {
		t.Error("changes were listed without an upper")
	}
}

// TestMissingLayer: a copy of metadata alone can't be packed without the layer
// that has its data, and must not be packed as zeroes.
func TestMissingLayer(t *testing.T) {
	tree := buildTree(t, "file x \"1\"\nxattr x user.overlay.metacopy=\n")
	err := layertar.PackTree(context.Background(), io.Discard, openDir(t, tree), ids())
	if err == nil || !strings.Contains(err.Error(), "/x") {
		t.Errorf("got %v", err)
	}
}

// TestPackIsReproducible: neither the order in which files were made nor access
// times are in the archive.
func TestPackIsReproducible(t *testing.T) {
	var archives [2]bytes.Buffer
	for i, text := range []string{
		"file a \"1\" mtime=1000.5 user.x=1 user.y=2\nfile b \"2\" mtime=1000.0\nmtime . 1.0\n",
		"file b \"2\" mtime=1000.0\nfile a \"1\" mtime=1000.5 user.y=2 user.x=1\nmtime . 1.0\n",
	} {
		tree := buildTree(t, text)
		if _, err := os.ReadFile(filepath.Join(tree, "a")); err != nil {
			t.Fatal(err)
		}
		if err := layertar.PackTree(context.Background(), &archives[i], openDir(t, tree), ids()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0].Bytes(), archives[1].Bytes()) {
		t.Error("two trees that are alike made two archives")
	}
}
