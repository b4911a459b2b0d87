package driver

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/fs/hostfs"
	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

const (
	// An ACL that gives gid 7 more than others have.
	sampleACL = "\x02\x00\x00\x00" +
		"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x04\x00\x04\x00\xff\xff\xff\xff" + "\x08\x00\x06\x00\x07\x00\x00\x00" +
		"\x10\x00\x06\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"
	// VFS_CAP_REVISION_2 (linux/capability.h): cap_net_raw+ep.
	netRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
)

func attr(name, value string) tar.Header {
	return tar.Header{PAXRecords: map[string]string{"SCHILY.xattr." + name: value}}
}

func as(h tar.Header, mode int64, kind byte) tar.Header {
	h.Mode, h.Typeflag = mode, kind
	return h
}

// thick are layers with all that layers can have, where owners are real.
func thick(t *testing.T) [][]byte {
	link := func(name, to string) member {
		return member{name: name, h: tar.Header{Typeflag: tar.TypeLink, Linkname: to}}
	}
	low := []member{
		{name: "./", h: tar.Header{Mode: 0o751}},
		{name: "t/", h: as(attr(aclDefault, sampleACL), 0o2775, tar.TypeDir)},
		{name: "t/caps", text: "caps", h: as(attr("security.capability", netRaw), 0o755, tar.TypeReg)},
		{name: "t/acl", text: "acl", h: as(attr(aclAccess, sampleACL), 0o664, tar.TypeReg)},
		{name: "t/nested/", h: attr("user.overlay.opaque", "y")},
		{name: "t/nested/file", text: "x", h: attr("user.overlay.metacopy", "")},
		{name: "t/fifo", h: tar.Header{Typeflag: tar.TypeFifo, Mode: 0o620}},
		{name: "t/empty", text: ""},
		{name: "links/"}, {name: "links/a", text: "one"}, link("links/b", "links/a"), link("links/c", "links/a"), link("t/d", "links/a"),
		{name: "was-file", text: "file"}, {name: "was-dir/"}, {name: "was-dir/x/"}, {name: "was-dir/x/y", text: "y"},
		{name: "again/", h: attr("user.old", "1")}, {name: "again/old", text: "old"},
		{name: "attrs/", h: attr("user.old", "1")}, {name: "locked/", h: tar.Header{Mode: 0o500}}, {name: "locked/x", text: "x"},
		{name: "deep/"}, {name: "deep/" + strings.Repeat("n", 250) + "/"}, {name: "deep/" + strings.Repeat("n", 250) + "/f", text: "f"},
	}
	if inInitialUserNS() {
		low = append(low, member{name: "t/null", h: tar.Header{Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666}},
			member{name: "t/loop", h: tar.Header{Typeflag: tar.TypeBlock, Devmajor: 7, Devminor: 300, Mode: 0o660}})
	}
	high := []member{
		{name: "t/"}, {name: "t/plain", text: "inherits nothing", h: tar.Header{Mode: 0o640}}, {name: "t/dir/", h: tar.Header{Mode: 0o700}},
		{name: "links/"}, {name: "links/a", text: "two"}, link("links/e", "links/a"), {name: "links/.wh.c"},
		{name: "was-file/"}, {name: "was-file/in", text: "in"}, {name: "was-dir", text: "file"},
		{name: ".wh.again"}, {name: "again/"}, {name: "again/new", text: "new"},
		{name: "attrs/", h: attr("user.new", "2")}, {name: "locked/", h: tar.Header{Mode: 0o550}}, {name: "locked/z", text: "z"},
		{name: "deep/"}, {name: "deep/.wh." + strings.Repeat("n", 250)}, {name: ".wh.never-was"},
	}
	var out [][]byte
	for i, members := range [][]member{low, high} {
		for j := range members {
			members[j].h.ModTime, members[j].h.Format = time.Unix(int64(1000*i+j), 123456789), tar.FormatPAX
		}
		out = append(out, archive(t, members...))
	}
	return out
}

func addLayers(t *testing.T, st *layerstore.Stage, archives ...[]byte) (chain []layerstore.DiffID) {
	t.Helper()
	for _, a := range archives {
		info, err := st.AddTar(t.Context(), func(w io.Writer) error {
			_, err := w.Write(a)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, info.DiffID)
	}
	return chain
}

// realStore is a store with real owners, and its layers.
func realStore(t *testing.T, dir string) (*layerstore.Store, []layerstore.DiffID) {
	t.Helper()
	s := storeIn(t, dir)
	if s.IDs() != layertar.RealIDs {
		lacking(t, "more than one id (this is uid %d)", os.Geteuid())
	}
	st, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return s, addLayers(t, st, thick(t)...)
}

func flatten(t *testing.T, s *layerstore.Store, chain []layerstore.DiffID) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := fill(t.Context(), s, dir, chain, chain); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lines are the entries of an archive, for comparison: all that it says.
func lines(t *testing.T, pack func(w io.Writer) error) []string {
	t.Helper()
	var b bytes.Buffer
	if err := pack(&b); err != nil {
		t.Fatal(err)
	}
	var out []string
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %c %o %d:%d %s %q %d,%d %q %d bytes %.20q", h.Name, h.Typeflag, h.Mode, h.Uid, h.Gid,
			h.ModTime.UTC().Format(time.RFC3339Nano), h.Linkname, h.Devmajor, h.Devminor, fmt.Sprint(h.PAXRecords), len(data), data))
	}
	slices.Sort(out)
	return out
}

// What applying layers makes is what the stack of them shows, to the last bit
// that an archive can tell.
func TestApply(t *testing.T) {
	s, chain := realStore(t, t.TempDir())
	dir := flatten(t, s, chain)
	want := lines(t, func(w io.Writer) error { return s.Export(t.Context(), w, chain) })
	got := lines(t, func(w io.Writer) error {
		fd, err := hostfs.OpenLayer(dir)
		if err != nil {
			return err
		}
		defer hostfs.Close(fd)
		return layertar.PackTree(t.Context(), w, fd, layertar.Plain)
	})
	if diff := fstest.Diff(want, got); diff != "" {
		t.Errorf("(- is what the layers show, + what was made):\n%s", diff)
	}
	for _, gone := range []string{"was-dir/x", "again/old", "links/c", "deep/" + strings.Repeat("n", 250)} {
		if exists(filepath.Join(dir, gone)) {
			t.Errorf("%s is there", gone)
		}
	}
	if n, err := unix.Getxattr(dir+"/t/nested", "user.overlay.opaque", nil); err != nil || n != 1 {
		t.Errorf("an image's own attribute user.overlay.opaque has %d bytes, %v", n, err)
	}
}

// One layer over a tree that was made before gives what all at once give.
func TestApplyOnTop(t *testing.T) {
	s, chain := realStore(t, t.TempDir())
	dir := flatten(t, s, chain[:1])
	if err := fill(t.Context(), s, dir, chain, chain[1:]); err != nil {
		t.Fatal(err)
	}
	whole := flatten(t, s, chain)
	if diff := fstest.Diff(snapshot(t, whole), snapshot(t, dir)); diff != "" {
		t.Errorf("(- is made at once, + in two steps):\n%s", diff)
	}
}

func snapshot(t *testing.T, dir string) []string {
	t.Helper()
	lines, err := fstest.Snapshot(dir, fstest.SnapshotOptions{Private: true})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// Layers with what only uppers have are refused, by name.
func TestApplyRefuses(t *testing.T) {
	for word, mark := range map[string]struct{ name, attr, value string }{
		"renamed":   {"d", "user.overlay.redirect", "/else"},
		"elsewhere": {"d/f", "user.overlay.metacopy", ""},
	} {
		layer, tree := t.TempDir(), t.TempDir()
		for _, err := range []error{
			os.Mkdir(layer+"/d", 0o755), os.WriteFile(layer+"/d/f", nil, 0o600),
			unix.Setxattr(filepath.Join(layer, mark.name), mark.attr, []byte(mark.value), 0),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := applyDirs(t.Context(), tree, layer); err == nil || !strings.Contains(err.Error(), word) || !strings.Contains(err.Error(), "/d") {
			t.Errorf("%s: got %v, want a word of it being %s", mark.attr, err, word)
		}
	}
}

func applyDirs(ctx context.Context, tree, layer string) error {
	to, err := hostfs.OpenLayer(tree)
	if err != nil {
		return err
	}
	defer hostfs.Close(to)
	from, err := hostfs.OpenLayer(layer)
	if err != nil {
		return err
	}
	defer hostfs.Close(from)
	return newApplier(ctx, to, func(string) {}).apply(from)
}

// Marks of every form hide.
func TestApplyForms(t *testing.T) {
	layer := t.TempDir()
	for _, dir := range []string{"aufs", "xattr", "opaque", "opaque-aufs", "fuse"} {
		if err := os.Mkdir(filepath.Join(layer, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tree := t.TempDir()
	if err := os.CopyFS(tree, os.DirFS(layer)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"aufs", "xattr", "opaque", "opaque-aufs", "fuse"} {
		for _, name := range []string{"x", "y"} {
			if err := os.WriteFile(filepath.Join(tree, dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, err := range []error{
		os.WriteFile(layer+"/aufs/.wh.x", nil, 0o600),
		os.WriteFile(layer+"/xattr/x", nil, 0o600),
		unix.Setxattr(layer+"/xattr/x", "user.overlay.whiteout", []byte("y"), 0),
		unix.Setxattr(layer+"/xattr", "user.overlay.opaque", []byte("x"), 0),
		unix.Setxattr(layer+"/opaque", "user.overlay.opaque", []byte("y"), 0),
		unix.Setxattr(layer+"/fuse", "user.fuseoverlayfs.opaque", []byte("y"), 0),
		os.WriteFile(layer+"/opaque-aufs/.wh..wh..opq", nil, 0o600),
		os.WriteFile(layer+"/opaque-aufs/z", nil, 0o600),
		applyDirs(t.Context(), tree, layer),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err := filepath.WalkDir(tree, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, strings.TrimPrefix(path, tree+"/"))
		}
		return err
	})
	if want := []string{"aufs/y", "opaque-aufs/z", "xattr/y"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q (%v)", got, want, err)
	}
}

// Holes stay holes.
func TestApplySparse(t *testing.T) {
	layer, tree := t.TempDir(), t.TempDir()
	file, err := os.Create(layer + "/sparse")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte("end"), 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := applyDirs(t.Context(), tree, layer); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(tree+"/sparse", &st); err != nil || st.Size != 1<<20+3 || st.Blocks*512 > 1<<19 {
		t.Errorf("the sparse file has %d bytes in %d blocks, %v", st.Size, st.Blocks, err)
	}
}

// A layer that can't be applied, and a command that is given up, end the making.
func TestApplyEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := applyDirs(ctx, t.TempDir(), t.TempDir()); err != context.Canceled {
		t.Errorf("given up: %v", err)
	}
}
