package layerstore

import (
	"errors"
	"os"
	"testing"
)

func TestRemoveImageKeepsWhatOthersNeed(t *testing.T) {
	s := newStore(t)
	base := tarOf(t, [2]string{"base", "1"})
	one := addImage(t, s, "one", base, tarOf(t, [2]string{"one", "1"}))
	two := addImage(t, s, "two", base)
	gone, err := s.RemoveImage("one", false)
	if err != nil {
		t.Fatal(err)
	}
	if len(gone.Images) != 1 || len(gone.Layers) != 1 || gone.Layers[0] != one.Layers[1] || gone.Bytes == 0 {
		t.Errorf("got %+v", gone)
	}
	if !s.HasLayer(two.Layers[0]) {
		t.Error("the layer that another image needs is gone")
	}
	wantWhole(t, s)
	if _, err := s.RemoveImage("two", false); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"layers", "blobs/sha256", "images", "stages"} {
		if left, err := s.names(folder); err != nil || len(left) > 0 {
			t.Errorf("%s holds %v (%v)", folder, left, err)
		}
	}
}

func TestRemoveImageByNameAndByID(t *testing.T) {
	s := newStore(t)
	img := addImage(t, s, "one", tarOf(t, [2]string{"a", "1"}))
	if err := s.Tag("one", "two"); err != nil {
		t.Fatal(err)
	}
	var many *ManyNamesError
	if _, err := s.RemoveImage(img.ID.Short(), false); !errors.As(err, &many) {
		t.Errorf("got %v, want a word about its names", err)
	}
	gone, err := s.RemoveImage("two", false)
	if err != nil || len(gone.Images) != 0 || len(gone.Untagged) != 1 {
		t.Errorf("got %+v, %v; want one name gone", gone, err)
	}
	if gone, err = s.RemoveImage(img.ID.Short(), false); err != nil || len(gone.Images) != 1 {
		t.Errorf("got %+v, %v", gone, err)
	}
}

func newSnapshot(t testing.TB, s *Store, name string, img *Image) Snapshot {
	t.Helper()
	st := begin(t, s)
	n, err := st.NewSnapshot(Snapshot{Name: name, Layers: img.Layers, Image: img.ID, Driver: "test"}, func(n *Snapshot) error {
		return os.Mkdir(n.Upper(), 0o755)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSnapshotsKeepTheirLayers(t *testing.T) {
	s := newStore(t)
	img := addImage(t, s, "x", tarOf(t, [2]string{"a", "1"}))
	n := newSnapshot(t, s, "box", &img)
	var used *InUseError
	if _, err := s.RemoveImage("x", false); !errors.As(err, &used) {
		t.Errorf("got %v, want in use", err)
	}
	if _, err := s.RemoveImage("x", true); err != nil {
		t.Fatal(err)
	}
	if !s.HasLayer(img.Layers[0]) {
		t.Fatal("the snapshot lost its layer")
	}
	if err := s.RemoveSnapshot(n.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PruneImages(false, nil); err != nil {
		t.Fatal(err)
	}
	if s.HasLayer(img.Layers[0]) {
		t.Error("the layer stays although nothing needs it")
	}
}

func TestSnapshotNames(t *testing.T) {
	s := newStore(t)
	img := addImage(t, s, "x", tarOf(t, [2]string{"a", "1"}))
	n := newSnapshot(t, s, "box", &img)
	for _, what := range []string{"box", n.ID, n.ID[:6]} {
		if got, err := s.Snapshot(what); err != nil || got.ID != n.ID {
			t.Errorf("%s: got %v, %v", what, got.ID, err)
		}
	}
	st := begin(t, s)
	for _, name := range []string{"box", "../x", "-x", "a b"} {
		if _, err := st.NewSnapshot(Snapshot{Name: name, Layers: img.Layers}, func(*Snapshot) error { return nil }); err == nil {
			t.Errorf("the name %q was given", name)
		}
	}
	if _, err := s.Snapshot(""); err == nil {
		t.Error("no name finds a snapshot")
	}
}

func TestFailedSnapshotLeavesNothing(t *testing.T) {
	s := newStore(t)
	st := begin(t, s)
	broken := errors.New("broken")
	if _, err := st.NewSnapshot(Snapshot{}, func(*Snapshot) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	st.Close()
	all, err := s.Snapshots()
	if err != nil || len(all) > 0 {
		t.Errorf("got %v, %v", all, err)
	}
}

// What a living stage holds stays; what a dead one held does not.
func TestStagesHold(t *testing.T) {
	s := newStore(t)
	st := begin(t, s)
	info := addLayer(t, st, tarOf(t, [2]string{"a", "1"}))
	if _, err := s.PruneImages(true, nil); err != nil {
		t.Fatal(err)
	}
	if !s.HasLayer(info.DiffID) || !s.HasBlob(info.Blob) {
		t.Fatal("a prune took what a stage holds")
	}
	st.Close()
	gone, err := s.PruneImages(true, nil)
	if err != nil || len(gone.Layers) != 1 || len(gone.Blobs) != 1 {
		t.Errorf("got %+v, %v", gone, err)
	}
}

func TestPruneImages(t *testing.T) {
	s := newStore(t)
	addImage(t, s, "", tarOf(t, [2]string{"a", "1"}))
	addImage(t, s, "named", tarOf(t, [2]string{"a", "2"}))
	gone, err := s.PruneImages(false, nil)
	if err != nil || len(gone.Images) != 1 {
		t.Errorf("got %+v, %v; want the image without a name", gone, err)
	}
	gone, err = s.PruneImages(true, nil)
	if err != nil || len(gone.Images) != 1 || len(gone.Untagged) != 1 {
		t.Errorf("got %+v, %v; want the other", gone, err)
	}
}
