package driver

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// ways are the ways to mount.
func (b *bench) ways() {
	n := b.prepare("")
	b.mounted(order{Snapshot: n.ID, Volatile: true}, func(dir string) {
		b.must(os.WriteFile(dir+"/etc/mine", []byte("mine"), 0o644))
		b.must(os.Remove(dir + "/data/new"))
	})
	var all []string
	b.mounted(order{Snapshot: n.ID, ReadOnly: true, Flags: []string{"nosuid", "nodev", "noexec"}}, func(dir string) {
		if err := os.WriteFile(dir+"/x", nil, 0o600); !errors.Is(err, unix.EROFS) {
			b.Errorf("a read-only mount can be written to: %v", err)
		}
		all = b.tree(dir)
		var st unix.Statfs_t
		b.must(unix.Statfs(dir, &st))
		if want := int64(unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC); st.Flags&want != want {
			b.Errorf("the mount's flags are %x", st.Flags)
		}
	})
	// A volatile mount that ended well is as good as any.
	b.in(n, func(dir string) {
		b.same("after a volatile and a read-only mount", all, b.tree(dir))
		if text, err := os.ReadFile(dir + "/etc/mine"); err != nil || string(text) != "mine" {
			b.Errorf("mine is %q, %v", text, err)
		}
	})
	if _, err := b.d.Mount(b.Context(), n, b.TempDir(), MountOptions{Options: []string{"nosense"}}); err == nil {
		b.Error("an unknown option was taken")
	}
	if _, err := b.d.Mount(b.Context(), n, "/nonexistent", MountOptions{}); err == nil {
		b.Error("a mount on nothing was made")
	}
	b.must(b.d.Remove(b.Context(), n)) // nothing of the failures is in use
	if _, err := b.d.View(b.Context(), b.chain, b.TempDir(), MountOptions{Options: []string{"nosense"}}); err == nil {
		b.Error("a view took an unknown option")
	}
}

// inUse commits a snapshot that is mounted.
func (b *bench) inUse() {
	n := b.prepare("")
	b.in(n, func(dir string) {
		b.must(os.WriteFile(dir+"/etc/mine", []byte("mine"), 0o644))
		b.must(os.Truncate(dir+"/big", 100000))
		now := b.tree(dir)
		b.committed(n, func(chain []layerstore.DiffID) {
			b.view(chain, func(dir string) { b.same("committed in use", now, b.tree(dir)) })
		})
	})
}

// committed calls do with the chain that a snapshot's changes make, while that is
// held.
func (b *bench) committed(n layerstore.Snapshot, do func(chain []layerstore.DiffID)) {
	b.Helper()
	st, err := b.s.Begin()
	b.must(err)
	defer st.Close()
	layer, err := st.AddTar(b.Context(), func(w io.Writer) error { return b.d.Diff(b.Context(), n, w) })
	b.must(err)
	do(append(slices.Clone(n.Layers), layer.DiffID))
}

// TestVolatileCrash: what was volatile when the machine stopped isn't mounted.
func TestVolatileCrash(t *testing.T) {
	s := storeIn(t, t.TempDir())
	if !mayMount() || s.IDs() != layertar.RealIDs {
		wantRefusal(t, "overlay", "may not mount|owners in attributes")
		return
	}
	d, err := byName("overlay", s)
	if err != nil {
		t.Fatal(err)
	}
	needProbe(t, d)
	b := &bench{T: t, d: d, s: s}
	b.image()
	n := b.prepare("")
	b.mounted(order{Snapshot: n.ID, Volatile: true}, func(dir string) { b.must(os.WriteFile(dir+"/mine", nil, 0o644)) })
	b.must(os.WriteFile(filepath.Join(n.Dir(), volatileRun), []byte("another run"), 0o600))
	for _, o := range []MountOptions{{}, {Volatile: true}, {ReadOnly: true}} {
		if m, err := d.Mount(t.Context(), n, t.TempDir(), o); err == nil || !strings.Contains(err.Error(), "data may be damaged: remove it") {
			t.Errorf("mounted with %+v: %v, %v", o, m, err)
		}
	}
	b.must(d.Remove(t.Context(), n))
}
