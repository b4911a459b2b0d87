package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/layerstore"
)

// bench is a driver under test, with an image of three layers.
type bench struct {
	*testing.T
	d     Driver
	s     *layerstore.Store
	chain []layerstore.DiffID

	// command is who mounts, when it isn't just this program.
	command *exec.Cmd
}

// contract is what all drivers keep.
func contract(t *testing.T, make func(t *testing.T) Driver) {
	for _, c := range []struct {
		name string
		run  func(b *bench)
		// crowded says that many are at work at once.
		crowded bool
	}{
		{"shows what the chain makes", (*bench).shows, false},
		{"an opaque root hides all below", (*bench).opaqueRoot, false},
		{"changes are kept, listed and packed", (*bench).changes, false},
		{"snapshots are apart", (*bench).apart, false},
		{"one use at a time", (*bench).oneUse, false},
		{"all that layers can have", (*bench).thick, false},
		{"many at once", (*bench).many, false},
		{"images keep bases", (*bench).images, false},
		{"failures leave nothing", (*bench).failures, false},
		{"ways to mount", (*bench).ways, false},
		{"what changes weigh", (*bench).weighs, false},
		{"committed in use", (*bench).inUse, false},
		{"one begins while another ends", (*bench).churn, true},
		{"views come and go", (*bench).views, true},
		{"what outlives a killed command is whole", (*bench).killed, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := make(t)
			if _, fuse := d.(*zfsDriver); fuse && c.crowded {
				t.Log("not on zfs-fuse, which has stopped to answer anybody with as many at work")
				return
			}
			b := &bench{T: t, d: d, s: storeOf(d)}
			b.image()
			c.run(b)
			b.whole()
		})
	}
}

func storeOf(d Driver) *layerstore.Store {
	switch d := d.(type) {
	case *unionDriver:
		return d.s
	case *overlayDriver:
		return d.s
	case *vfsDriver:
		return d.s
	case *btrfsDriver:
		return d.s
	case *zfsDriver:
		return d.s
	}
	panic("an unknown driver")
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) prepare(name string) layerstore.Snapshot {
	b.Helper()
	n, err := b.prepareIn(b.Context(), name, b.chain)
	b.must(err)
	b.Cleanup(func() { _ = b.d.Remove(context.Background(), n) }) // most are gone by then
	return n
}

func (b *bench) prepareIn(ctx context.Context, name string, chain []layerstore.DiffID) (layerstore.Snapshot, error) {
	st, err := b.s.Begin()
	if err != nil {
		return layerstore.Snapshot{}, err
	}
	defer st.Close()
	return b.d.Prepare(ctx, st, layerstore.Snapshot{Name: name, Layers: chain, Driver: "?"})
}

func (b *bench) tree(dir string) []string {
	b.Helper()
	// Times of directories that nobody names in an archive are those of the
	// making. Unions count the names of a lower file that they hide, too.
	lines, err := fstest.Snapshot(dir, fstest.SnapshotOptions{NoDirMtime: true, NoMtime: true, NoNlink: true})
	b.must(err)
	return lines
}

func (b *bench) same(what string, want, got []string) {
	b.Helper()
	if diff := fstest.Diff(want, got); diff != "" {
		b.Errorf("%s (- is wanted, + is there):\n%s", what, diff)
	}
}

func (b *bench) shows() {
	n := b.prepare("")
	b.in(n, func(dir string) {
		for name, want := range map[string]string{
			"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "data/new": "new", "top": "top", "bin/again": strings.Repeat("tool", 5000),
		} {
			if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != want {
				b.Errorf("%s: %.20q, %v", name, text, err)
			}
		}
		for _, name := range []string{"etc/gone", "data/old", "data/deep", "etc/.wh.gone", "data/.wh..wh..opq"} {
			if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
				b.Errorf("%s shows: %v", name, err)
			}
		}
		var tool, again unix.Stat_t
		b.must(unix.Lstat(dir+"/bin/tool", &tool))
		b.must(unix.Lstat(dir+"/bin/again", &again))
		if tool.Ino != again.Ino || tool.Nlink != 2 || tool.Mode&0o7777 != 0o4755 || tool.Uid != uint32(os.Geteuid()) {
			b.Errorf("bin/tool: inodes %d and %d, %d links, mode %o, uid %d", tool.Ino, again.Ino, tool.Nlink, tool.Mode, tool.Uid)
		}
		var note [16]byte
		if k, err := unix.Lgetxattr(dir+"/marked", "user.note", note[:]); err != nil || string(note[:k]) != "kept" {
			b.Errorf("user.note is %q, %v", note[:max(k, 0)], err)
		}
		plain := b.tree(dir)
		b.view(b.chain, func(dir string) {
			b.same("a view of the chain", plain, b.tree(dir))
			if err := os.WriteFile(dir+"/x", nil, 0o600); !errors.Is(err, unix.EROFS) {
				b.Errorf("a view can be written to: %v", err)
			}
		})
	})
	if changes, err := b.d.Changes(b.Context(), n); err != nil || len(changes) > 0 {
		b.Errorf("changes of a new snapshot: %v, %v", changes, err)
	}
	want := lines(b.T, func(w io.Writer) error { return b.s.Export(b.Context(), w, b.chain) })
	b.same("a new snapshot's export", want, lines(b.T, func(w io.Writer) error { return b.d.Export(b.Context(), n, w) }))
}

func (b *bench) opaqueRoot() {
	st, err := b.s.Begin()
	b.must(err)
	defer st.Close()
	chain := append(slices.Clone(b.chain), addLayers(b.T, st,
		archive(b.T, member{name: "only", text: "only"}, member{name: ".wh..wh..opq"}),
		archive(b.T, member{name: "above", text: "above"}))...)
	shown := func(dir string, want ...string) {
		b.Helper()
		if names := b.names(dir); !slices.Equal(names, want) {
			b.Errorf("%q shows, not %q", names, want)
		}
	}
	b.view(chain, func(dir string) { shown(dir, "above", "only") })
	n, err := b.prepareIn(b.Context(), "", chain)
	b.must(err)
	b.in(n, func(dir string) {
		shown(dir, "above", "only")
		b.must(os.Mkdir(dir+"/etc", 0o755))
		b.must(os.WriteFile(dir+"/etc/mine", []byte("mine"), 0o644))
	})
	layer, err := st.AddTar(b.Context(), func(w io.Writer) error { return b.d.Diff(b.Context(), n, w) })
	b.must(err)
	b.view(append(chain, layer.DiffID), func(dir string) {
		shown(dir, "above", "etc", "only")
		shown(dir+"/etc", "mine")
	})
	b.must(b.d.Remove(b.Context(), n))
}

func (b *bench) names(dir string) (names []string) {
	b.Helper()
	entries, err := os.ReadDir(dir)
	b.must(err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (b *bench) changes() {
	n := b.prepare("")
	var before []string
	b.in(n, func(dir string) {
		b.must(os.WriteFile(dir+"/data/mine", []byte("mine"), 0o640))
		b.move(dir+"/data", dir+"/moved")
		b.must(os.Remove(dir + "/top"))
		b.must(os.Chmod(dir+"/bin/tool", 0o711))
		b.must(os.Mkdir(dir+"/etc/new", 0o700))
		b.must(os.Symlink("../x", dir+"/etc/new/link"))
		b.must(os.Link(dir+"/moved/mine", dir+"/moved/twice"))
		b.must(os.WriteFile(dir+"/etc/passwd", []byte("changed"), 0o644))
		b.must(unix.Lsetxattr(dir+"/marked", "user.note", []byte("new"), 0))
		before = b.tree(dir)
	})
	b.in(n, func(dir string) { b.same("after a remount", before, b.tree(dir)) })

	var lines []string
	changes, err := b.d.Changes(b.Context(), n)
	b.must(err)
	for _, c := range changes {
		lines = append(lines, fmt.Sprintf("%c %s", c.Kind, c.Path))
	}
	for _, want := range []string{"D /data", "D /top", "A /moved/mine", "A /etc/new/link", "C /etc/passwd", "C /marked", "C /bin/tool"} {
		if !slices.Contains(lines, want) {
			b.Errorf("%q is not in the changes %q", want, lines)
		}
	}

	if size, err := b.d.Usage(n); err != nil || size == 0 {
		b.Errorf("usage is %d, %v", size, err)
	}
	st, err := b.s.Begin()
	b.must(err)
	defer st.Close()
	layer, err := st.AddTar(b.Context(), func(w io.Writer) error { return b.d.Diff(b.Context(), n, w) })
	b.must(err)
	again, err := st.AddTar(b.Context(), func(w io.Writer) error { return b.d.Diff(b.Context(), n, w) })
	b.must(err)
	if again.DiffID != layer.DiffID {
		b.Error("the same snapshot packs to two layers")
	}
	b.view(append(slices.Clone(b.chain), layer.DiffID), func(dir string) { b.same("committed", before, b.tree(dir)) })
	flat, err := st.AddTar(b.Context(), func(w io.Writer) error { return b.d.Export(b.Context(), n, w) })
	b.must(err)
	b.view([]layerstore.DiffID{flat.DiffID}, func(dir string) { b.same("exported", before, b.tree(dir)) })
}

func (b *bench) apart() {
	one, two := b.prepare("one"), b.prepare("two")
	b.in(one, func(dir string) {
		b.must(os.WriteFile(dir+"/only", nil, 0o600))
		b.must(os.Remove(dir + "/top"))
		b.in(two, func(dir string) {
			if _, err := os.Lstat(dir + "/only"); !errors.Is(err, os.ErrNotExist) {
				b.Errorf("one snapshot's file shows in another: %v", err)
			}
			if _, err := os.Lstat(dir + "/top"); err != nil {
				b.Errorf("one snapshot's removal shows in another: %v", err)
			}
		})
	})
}

func (b *bench) oneUse() {
	n := b.prepare("box")
	b.in(n, func(string) {
		if _, err := b.d.Mount(b.Context(), n, b.TempDir(), MountOptions{}); err == nil || !strings.Contains(err.Error(), "is mounted") {
			b.Errorf("a second mount: %v", err)
		}
		if err := b.d.Remove(b.Context(), n); err == nil || !strings.Contains(err.Error(), "is mounted") {
			b.Errorf("a removal: %v", err)
		}
	})
	b.must(b.d.Remove(b.Context(), n))
	if _, err := b.s.Snapshot("box"); err == nil {
		b.Error("a removed snapshot is there")
	}
	if _, err := os.Lstat(n.Dir()); !errors.Is(err, os.ErrNotExist) {
		b.Errorf("its folder is there: %v", err)
	}
}

func (b *bench) many() {
	var wait sync.WaitGroup
	ids := make([]layerstore.Snapshot, 10)
	for i := range ids {
		wait.Go(func() {
			n, err := b.prepareIn(b.Context(), fmt.Sprintf("n%d", i), b.chain)
			if err != nil {
				b.Error(err)
			}
			ids[i] = n
		})
	}
	wait.Wait()
	b.shared(ids)
	for _, n := range ids {
		wait.Go(func() {
			if err := b.d.Remove(b.Context(), n); err != nil {
				b.Error(err)
			}
		})
	}
	wait.Wait()
	b.must(Collect(b.Context(), b.s)) // what was in use at the last removal
	if all, err := b.s.Snapshots(); err != nil || len(all) > 0 {
		b.Errorf("%d snapshots are left, %v", len(all), err)
	}
	left, _ := filepath.Glob(filepath.Join(b.s.Root(), "chains", "*", "*"))
	if len(left) > 0 {
		b.Errorf("bases are left: %v", left)
	}
}

func (b *bench) failures() {
	absent := layerstore.DiffID("sha256:" + strings.Repeat("0", 64))
	if _, err := b.prepareIn(b.Context(), "", append(slices.Clone(b.chain), absent)); err == nil {
		b.Error("a snapshot of a layer that isn't there was made")
	}
	if _, err := b.prepareIn(b.Context(), "", nil); err == nil {
		b.Error("a snapshot of no layers was made")
	}
	given, up := context.WithCancel(b.Context())
	up()
	if n, err := b.prepareIn(given, "", b.chain); err == nil {
		b.must(b.d.Remove(b.Context(), n)) // there was nothing to wait for
	} else if !errors.Is(err, context.Canceled) {
		b.Errorf("given up: %v", err)
	}
	if all, err := b.s.Snapshots(); err != nil || len(all) > 0 {
		b.Errorf("%d snapshots are left, %v", len(all), err)
	}
}

// whole checks the store: the layers are as they were, and nothing is left of
// what was made on the way.
func (b *bench) whole() {
	b.Helper()
	left, err := filepath.Glob(filepath.Join(b.s.Root(), "stages", "*"))
	if err != nil || len(left) != 1 { // that of image
		b.Errorf("stages are left: %v, %v", left, err)
	}
	found, err := b.s.Check(b.Context(), false, func(string) {})
	b.must(err)
	for _, p := range found {
		b.Errorf("the store isn't whole: %s", p.What)
	}
}
