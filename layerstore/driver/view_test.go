package driver

import (
	"os"
	"testing"

	"unionfs/fs/fstest"
	"unionfs/layerstore"
)

// TestViewKeepsLayers: what nothing but a view needs is collected after it.
func TestViewKeepsLayers(t *testing.T) {
	fstest.NeedFUSE(t)
	s := storeIn(t, t.TempDir())
	d, err := byName("union", s)
	if err != nil {
		t.Fatal(err)
	}
	needProbe(t, d)
	b := &bench{T: t, d: d, s: s}
	st, err := s.Begin()
	b.must(err)
	b.chain = addLayers(t, st, archive(t, member{name: "./"}, member{name: "top", text: "top"}))
	prune := func() layerstore.Removed {
		gone, err := s.PruneImages(true, nil)
		b.must(err)
		return gone
	}
	b.view(b.chain, func(dir string) {
		st.Close() // nobody else holds them
		if gone := prune(); len(gone.Layers) > 0 {
			t.Errorf("layers that are in view were collected: %v", gone.Layers)
		}
		if text, err := os.ReadFile(dir + "/top"); err != nil || string(text) != "top" {
			t.Errorf("top is %q, %v", text, err)
		}
	})
	if gone := prune(); len(gone.Layers) != 1 {
		t.Errorf("collected after the view: %v", gone.Layers)
	}
}
