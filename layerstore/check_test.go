package layerstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each row damages a store; a check without repair says so and changes
// nothing, and one with repair does what left says.
func TestCheckFindsAndRepairs(t *testing.T) {
	for name, row := range map[string]struct {
		damage func(t *testing.T, s *Store, img Image)
		says   string
		left   int // problems after the repair
	}{
		"a changed file": {func(t *testing.T, s *Store, img Image) {
			write(t, filepath.Join(s.LayerDir(img.Layers[0]), "a"), "changed")
		}, "tree was changed", 0},
		"a missing file": {func(t *testing.T, s *Store, img Image) {
			remove(t, filepath.Join(s.LayerDir(img.Layers[0]), "a"))
		}, "tree was changed", 0},
		"one file too many": {func(t *testing.T, s *Store, img Image) {
			write(t, filepath.Join(s.LayerDir(img.Layers[0]), "b"), "new")
		}, "tree was changed", 0},
		"a damaged index": {func(t *testing.T, s *Store, img Image) {
			damageEnd(t, s.path("layers", img.Layers[0].Hex(), "index"))
		}, "index is damaged", 0},
		"an index of another tree": {func(t *testing.T, s *Store, img Image) {
			now := time.Now()
			if err := os.Chtimes(s.LayerDir(img.Layers[0]), now, time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		}, "", 0},
		"a missing tree": {func(t *testing.T, s *Store, img Image) {
			remove(t, s.path("layers", img.Layers[0].Hex()))
		}, "is missing", 0},
		"a damaged meta.json": {func(t *testing.T, s *Store, img Image) {
			write(t, s.path("layers", img.Layers[0].Hex(), "meta.json"), "{")
		}, "meta.json is damaged", 0},
		"a damaged blob": {func(t *testing.T, s *Store, img Image) {
			write(t, s.BlobPath(img.Manifests[0].Layers[0].Blob), "rubbish")
		}, "is damaged", 2},
		"a missing blob": {func(t *testing.T, s *Store, img Image) {
			remove(t, s.BlobPath(img.Manifests[0].Layers[0].Blob))
		}, "blob is missing", 2},
		"a blob that is none": {func(t *testing.T, s *Store, img Image) {
			remove(t, s.BlobPath(img.Manifests[0].Layers[0].Blob))
			if err := os.Mkdir(s.BlobPath(img.Manifests[0].Layers[0].Blob), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "is a directory", 2},
		"a damaged snapshot": {func(t *testing.T, s *Store, img Image) {
			n := newSnapshot(t, s, "", &img)
			write(t, filepath.Join(n.Dir(), "meta.json"), "{")
			if all, err := s.SoundSnapshots(); err != nil || len(all) != 0 {
				t.Errorf("the sound ones: %v, %v", all, err)
			}
			if _, err := s.PruneImages(true, nil); err == nil || !s.HasLayer(img.Layers[0]) {
				t.Errorf("what a damaged snapshot may need is collected: %v", err)
			}
		}, "meta.json", 1},
		"missing folders": {func(t *testing.T, s *Store, img Image) {
			for _, dir := range []string{"stages", "partial", "blobs"} {
				if err := os.RemoveAll(s.path(dir)); err != nil {
					t.Fatal(err)
				}
			}
		}, "blob is missing", 3},
		"a damaged config": {func(t *testing.T, s *Store, img Image) {
			write(t, s.BlobPath(Digest(img.ID)), "{}")
		}, "is damaged", 1},
		"a damaged image": {func(t *testing.T, s *Store, img Image) {
			write(t, s.path("images", img.ID.Hex()+".json"), "{}")
		}, "image", 0},
		"an image that says too little": {func(t *testing.T, s *Store, img Image) {
			write(t, s.path("images", img.ID.Hex()+".json"), `{"id":"`+string(img.ID)+`"}`)
		}, "names no manifest", 0},
		"damaged names": {func(t *testing.T, s *Store, _ Image) {
			write(t, s.path("names.json"), "[")
		}, "names.json", 0},
		"a name that points nowhere": {func(t *testing.T, s *Store, img Image) {
			remove(t, s.path("images", img.ID.Hex()+".json"))
		}, "points at", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			img := addImage(t, s, "x", tarOf(t, [2]string{"a", "1"}))
			wantWhole(t, s)
			row.damage(t, s, img)
			found, err := s.Check(t.Context(), false, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			if !mentions(found, row.says) {
				t.Errorf("found %+v, want something that says %q", found, row.says)
			}
			for _, p := range found {
				if p.Repaired || p.Advice == "" {
					t.Errorf("%+v: repaired unasked, or without advice", p)
				}
			}
			if _, err := s.Check(t.Context(), true, func(string) {}); err != nil {
				t.Fatal(err)
			}
			left, err := s.Check(t.Context(), false, func(string) {})
			if err != nil || len(left) != row.left {
				t.Errorf("after the repair: %+v, %v; want %d problems", left, err, row.left)
			}
		})
	}
}

func mentions(found []Problem, says string) bool {
	for _, p := range found {
		if strings.Contains(p.What, says) {
			return true
		}
	}
	return false
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), fileMode); err != nil {
		t.Fatal(err)
	}
}

// damageEnd changes the last byte of a file.
func damageEnd(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	write(t, path, string(data))
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := removeTree(path); err != nil {
		t.Fatal(err)
	}
}
