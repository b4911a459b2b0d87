package layertar_test

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"unionfs/fs/fstest"
	"unionfs/layerstore/layertar"
	"unionfs/whiteout"
)

// FuzzUnpack claims that no archive makes Unpack panic, or change anything
// outside its directory; and that what it takes can be packed, unpacked and
// packed again to the same bytes. Each three bytes of the input are an entry, so
// that entries meet.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x01\x00\x02\x02\x01"))
	f.Add([]byte("\x02\x00\x05\x01\x04\x00\x03\x01\x04\x05\x00\x00"))
	f.Add([]byte("\x02\x00\x0b\x01\x04\x00\x02\x04\x0c\x01\x05\x00\x03\x03\x0d"))
	f.Fuzz(func(t *testing.T, script []byte) {
		var list []any
		for ; len(script) >= 3 && len(list) < 60; script = script[3:] {
			list = append(list, fuzzEntry(script[0], script[1], script[2])...)
		}
		claim(t, entries(t, list...))
	})
}

// fuzzNames meet each other, and what lies outside.
var fuzzNames = [...]string{
	"a", "a/b", "b", "a/b/c", "a/x", "..", "/", "../outside/kept", "a/.wh.b", ".wh.a", "a/.wh..wh..opq", "../outside",
	"/a/../../outside", "a/b/../../../outside/kept", ".wh..", "c", "c/kept", "b/kept", ".wh..wh.plnk/1", "a/b/outside/kept",
}

func fuzzEntry(kind, name, other byte) []any {
	h := tar.Header{Name: fuzzNames[int(name)%len(fuzzNames)], Linkname: fuzzNames[int(other)%len(fuzzNames)]}
	h.Typeflag = "0522136"[kind%7]
	if h.Name == "/" && h.Typeflag != tar.TypeDir {
		h.Name = "." // the writer takes a slash for a directory
	}
	switch h.Typeflag {
	case tar.TypeReg:
		h.Linkname = ""
		return []any{h, "data"[:other%5]}
	case tar.TypeChar:
		h.Devmajor = int64(other)
	}
	if h.Typeflag != tar.TypeLink && h.Typeflag != tar.TypeSymlink {
		h.Linkname = ""
	}
	return []any{h}
}

// FuzzArchive claims the same of archives that no writer makes.
func FuzzArchive(f *testing.F) {
	f.Add(entries(f, dir("a"), file("a/x"), "1", link("y", "a/x"), symlink("b", "../outside")))
	f.Add(entries(f, pax(file("x"), "SCHILY.xattr.user.overlay.opaque", "y", "SCHILY.acl.access", "user::rw-,group::r--,other::r--")))
	f.Add(entries(f, tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o4711, Uid: 12, Gid: 1 << 30}))
	f.Fuzz(func(t *testing.T, archive []byte) {
		archive = bytes.Clone(archive)
		for at := 0; at+512 <= len(archive); at += 512 {
			if string(archive[at+257:at+262]) == "ustar" {
				fixChecksum(archive[at : at+512]) // what is changed in a header shall count
			}
		}
		claim(t, archive)
	})
}

func claim(t *testing.T, archive []byte) {
	t.Helper()
	top := t.TempDir()
	outside := filepath.Join(top, "outside")
	if err := fstest.Build(top, "file outside/kept \"1\"\ndir tree\n"); err != nil {
		t.Fatal(err)
	}
	before := lines(t, outside)
	tree := filepath.Join(top, "tree")
	_, err := layertar.Unpack(context.Background(), bytes.NewReader(archive), openDir(t, tree), layertar.UnpackOptions{
		IDs: ids(), Codec: whiteout.NewCodec(whiteout.FormatOverlay, whiteout.User), MaxBytes: 1 << 20, MaxEntries: 1000,
	})
	if diff := fstest.Diff(before, lines(t, outside)); diff != "" {
		t.Fatalf("outside changed:\n%s", diff)
	}
	list, lerr := os.ReadDir(top)
	if lerr != nil || len(list) != 2 {
		t.Fatalf("beside the tree: %v %v", list, lerr)
	}
	if err == nil {
		packAgain(t, tree)
	}
}

func packAgain(t *testing.T, tree string) {
	t.Helper()
	var first, second bytes.Buffer
	if layertar.PackTree(context.Background(), &first, openDir(t, tree), ids()) != nil {
		return // names that layers can't hold
	}
	again, err := unpackInto(t, first.Bytes(), layertar.UnpackOptions{IDs: ids()})
	if err != nil {
		t.Fatal(err)
	}
	if err := layertar.PackTree(context.Background(), &second, openDir(t, again.dir), ids()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Fatal("packed, unpacked and packed again it is another archive")
	}
}
