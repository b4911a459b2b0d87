package layerstore

import (
	"slices"
	"testing"
)

func TestRenameSnapshot(t *testing.T) {
	s := newStore(t)
	img := addImage(t, s, "x", tarOf(t, [2]string{"a", "1"}))
	one, two := newSnapshot(t, s, "one", &img), newSnapshot(t, s, "two", &img)
	if err := s.RenameSnapshot(one.ID, "two"); err == nil {
		t.Error("a name was given twice")
	}
	if err := s.RenameSnapshot(one.ID, "../x"); err == nil {
		t.Error("a bad name was given")
	}
	for _, name := range []string{"one", "three"} {
		if err := s.RenameSnapshot(one.ID, name); err != nil {
			t.Error(err)
		}
	}
	if n, err := s.Snapshot("three"); err != nil || n.ID != one.ID {
		t.Errorf("got %v, %v", n.ID, err)
	}
	if n, err := s.Snapshot("two"); err != nil || n.ID != two.ID {
		t.Errorf("got %v, %v", n.ID, err)
	}
}

// A chain may hold a layer twice (an instruction and its repetition).
func TestLowerDirsOfRepeatedLayers(t *testing.T) {
	s := newStore(t)
	a, b := DiffID(DigestOf([]byte("a"))), DiffID(DigestOf([]byte("b")))
	want := []string{s.LayerDir(a), s.LayerDir(b)}
	if got := s.LowerDirs([]DiffID{a, b, a, a}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
