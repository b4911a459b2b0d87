package volumes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// layersOf is what a volume is made of.
func layersOf(t *testing.T, s *Store, name string) (top string, layers []string) {
	t.Helper()
	m, err := s.readMeta(name)
	if err != nil {
		t.Fatal(err)
	}
	if m.Stack == nil {
		return "", nil
	}
	return m.Stack.Top, m.Stack.Layers
}

func snapshot(t *testing.T, s *Store, volume, name string, o SnapshotOptions) Snapshot {
	t.Helper()
	o.Name = name
	snap, err := s.Snapshot(context.Background(), volume, o)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// onSharing tells whether the tests' directory is on a file system that shares
// blocks: there snapshots of plain volumes are copies.
func onSharing(t *testing.T, s *Store) bool {
	t.Helper()
	st, err := s.newStage()
	if err != nil {
		t.Fatal(err)
	}
	defer st.close()
	return st.sharesBlocks()
}

func TestSnapshotsInLayers(t *testing.T) {
	ctx := context.Background()
	s := layeredStore(t)
	mustCreate(t, s, Request{Name: "v", Options: map[string]string{"size": "1m"}})
	first, _ := layersOf(t, s, "v")
	write(t, filepath.Join(s.layerTree(first), "f"), "first")
	if err := os.Chmod(s.layerTree(first), os.ModeSticky|0o711); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1e9, 5)
	if err := os.Chtimes(s.layerTree(first), old, old); err != nil {
		t.Fatal(err)
	}
	if snap := snapshot(t, s, "v", "one", SnapshotOptions{}); snap.Copied || !slices.Equal(snap.Layers, []string{first}) {
		t.Errorf("a snapshot in layers: %+v", snap)
	}
	second, layers := layersOf(t, s, "v")
	if second == first || !slices.Equal(layers, []string{first}) {
		t.Errorf("it goes on in %s on %v", second, layers)
	}
	fi, err := os.Stat(s.layerTree(second))
	if err != nil || fi.Mode() != os.ModeDir|os.ModeSticky|0o711 || !fi.ModTime().Equal(old) {
		t.Errorf("the new top's root: %v %v, %v", fi.Mode(), fi.ModTime(), err)
	}
	if v, err := s.Clone(ctx, "v@one", Request{Name: "w"}, nil); err != nil || v.Options["size"] != "1m" {
		t.Errorf("clone: %+v, %v", v, err)
	}
	if _, err := s.Clone(ctx, "v@one", Request{Name: "w"}, nil); err == nil {
		t.Error("cloned over a volume that is there")
	}
	if _, err := s.Clone(ctx, "v@two", Request{Name: "x"}, nil); err == nil {
		t.Error("cloned a snapshot that isn't there")
	}
	if err := s.Remove(ctx, "v", false, nil); err != nil {
		t.Fatal(err)
	}
	// The clone keeps what it needs, and nothing else stays.
	top, layers := layersOf(t, s, "w")
	if got := read(t, filepath.Join(s.layerTree(layers[0]), "f")); got != "first" {
		t.Errorf("the clone's layer has %q", got)
	}
	have, err := namesIn(s.path(layersDir))
	slices.Sort(have)
	want := append([]string{top}, layers...)
	slices.Sort(want)
	if err != nil || !slices.Equal(have, want) {
		t.Errorf("layers %v, want %v: %v", have, want, err)
	}
}

func TestSnapshotOfPlain(t *testing.T) {
	ctx := context.Background()
	s := layeredStore(t)
	mustCreate(t, s, Request{Name: "v"})
	data := s.path("v", dataDir)
	write(t, filepath.Join(data, "f"), "old")
	if err := os.Link(filepath.Join(data, "f"), filepath.Join(data, "g")); err != nil {
		t.Fatal(err)
	}
	if snap := snapshot(t, s, "v", "copy", SnapshotOptions{Copy: true}); !snap.Copied {
		t.Errorf("asked to copy: %+v", snap)
	}
	m, err := s.readMeta("v")
	if err != nil || m.Stack != nil {
		t.Fatalf("a copy left %+v, %v", m.Stack, err)
	}
	tree := s.layerTree(m.Snapshots[0].Layers[0])
	a, aerr := os.Stat(filepath.Join(tree, "f"))
	b, berr := os.Stat(filepath.Join(tree, "g"))
	if aerr != nil || berr != nil || !os.SameFile(a, b) {
		t.Errorf("hard links parted: %v, %v", aerr, berr)
	}
	// In use it is copied, and its users stand still meanwhile.
	u := mustUse(t, s, "v", "container-1")
	var stood []string
	started := false
	still := func(uses []string) (func(), error) {
		stood = uses
		return func() { started = true }, nil
	}
	if snap := snapshot(t, s, "v", "used", SnapshotOptions{Still: still}); !snap.Copied {
		t.Errorf("in use: %+v", snap)
	}
	if !slices.Equal(stood, []string{"container-1"}) || !started {
		t.Errorf("still: %v, started %v", stood, started)
	}
	refused := errors.New("no")
	_, err = s.Snapshot(ctx, "v", SnapshotOptions{Still: func([]string) (func(), error) { return nil, refused }})
	if !errors.Is(err, refused) {
		t.Errorf("users that don't stand still: %v", err)
	}
	var used *InUseError
	if err := s.Restore(ctx, "v", "copy"); !errors.As(err, &used) {
		t.Errorf("restore while in use: %v", err)
	}
	release(t, u)
	write(t, filepath.Join(data, "f"), "new")
	if err := s.Restore(ctx, "v", "copy"); err != nil {
		t.Fatal(err)
	}
	if !onSharing(t, s) {
		// It goes on in layers, without what was written.
		top, layers := layersOf(t, s, "v")
		if top == "" || len(layers) != 1 || read(t, filepath.Join(s.layerTree(layers[0]), "f")) != "old" {
			t.Errorf("restored to %s on %v", top, layers)
		}
		if left, err := namesIn(data); err != nil || len(left) > 0 {
			t.Errorf("the place of the mount has %v, %v", left, err)
		}
	}
	for _, name := range []string{"copy", "used"} {
		if err := s.RemoveSnapshot(ctx, "v", name); err != nil {
			t.Error(err)
		}
	}
	if err := s.RemoveSnapshot(ctx, "v", "used"); err == nil {
		t.Error("removed twice")
	}
	noLeftovers(t, s)
}

// TestWithoutUnions: where none can be mounted plain volumes stay plain, in all
// ways.
func TestWithoutUnions(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, Options{})
	mustCreate(t, s, Request{Name: "v"})
	write(t, filepath.Join(s.path("v", dataDir), "f"), "old")
	snapshot(t, s, "v", "one", SnapshotOptions{})
	write(t, filepath.Join(s.path("v", dataDir), "f"), "new")
	if _, err := s.Clone(ctx, "v", Request{Name: "now"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Clone(ctx, "v@one", Request{Name: "then"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(ctx, "v", "one"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"v": "old", "now": "new", "then": "old"} {
		if got := read(t, filepath.Join(s.path(name, dataDir), "f")); got != want {
			t.Errorf("%s has %q", name, got)
		}
	}
	for _, o := range []map[string]string{{"size": "1m"}, {"from": "an:image"}} {
		if _, err := s.Create(ctx, Request{Name: "x", Options: o}); !errors.Is(err, errNoUnions) {
			t.Errorf("%v: %v", o, err)
		}
	}
}

func TestFromImage(t *testing.T) {
	ctx := context.Background()
	s := layeredStore(t)
	images := s.o.Unions.(noUnions).dir
	for _, name := range []string{"a", "b"} {
		mustCreate(t, s, Request{Name: name, Options: map[string]string{"from": "an:image"}})
	}
	if _, err := s.Clone(ctx, "a", Request{Name: "c"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(ctx, Request{Name: "d", Options: map[string]string{"from": "none"}}); err == nil {
		t.Error("from an image that isn't there")
	}
	if held, err := namesIn(images); err != nil || len(held) != 2 {
		t.Errorf("held: %v, %v", held, err)
	}
	for i, name := range []string{"a", "b", "c"} {
		if err := s.Remove(ctx, name, false, nil); err != nil {
			t.Fatal(err)
		}
		if held, err := namesIn(images); err != nil || len(held) != []int{2, 1, 0}[i] {
			t.Errorf("held without %s: %v, %v", name, held, err)
		}
	}
	noLeftovers(t, s)
}

func TestUsage(t *testing.T) {
	ctx := context.Background()
	s := layeredStore(t)
	mustCreate(t, s, Request{Name: "v", Options: map[string]string{"size": "10m"}})
	top, _ := layersOf(t, s, "v")
	write(t, filepath.Join(s.layerTree(top), "f"), string(make([]byte, 1<<20)))
	const about = 1<<20 - 4096
	if u, err := s.Usage(ctx); err != nil || u["v"].Own < about || u["v"].Shared != 0 {
		t.Errorf("alone: %+v, %v", u, err)
	}
	if _, err := s.Clone(ctx, "v", Request{Name: "w"}, nil); err != nil {
		t.Fatal(err)
	}
	u, err := s.Usage(ctx)
	if err != nil || u["v"].Shared < about || u["w"].Shared < about || u["v"].Own >= about {
		t.Errorf("shared: %+v, %v", u, err)
	}
	gone, err := s.Prune(ctx, nil, func(*Volume) (bool, error) { return true, nil })
	if err != nil || !slices.Equal(gone.Names, []string{"v", "w"}) || gone.Bytes < about {
		t.Errorf("pruned: %+v, %v", gone, err)
	}
}
