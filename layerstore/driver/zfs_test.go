package driver

import (
	"context"
	"os"
	"testing"
	"time"

	"unionfs/fs/fstest"
)

// TestZFSUnmounted: what a dataset has isn't lost, nor taken for removed, when
// nobody has mounted it.
func TestZFSUnmounted(t *testing.T) {
	fstest.NeedRoot(t)
	if !apart(t) {
		return
	}
	d := on(zfs(t), newZFS)(t).(*zfsDriver)
	b := &bench{T: t, d: d, s: d.s}
	b.image()
	n := b.prepare("")
	b.in(n, func(dir string) { b.must(os.WriteFile(dir+"/mine", []byte("mine"), 0o600)) })
	parent, err := d.sets.parent(t.Context())
	b.must(err)
	unmountAll := func() {
		rows, err := zfsCommand{}.list(t.Context(), "name,mounted")
		b.must(err)
		for _, row := range rows {
			if row[0] != parent && row[1] == "yes" {
				b.must(zfsCommand{}.patiently(t.Context(), "unmount", row[0]))
			}
		}
	}

	unmountAll()
	changes, err := d.Changes(t.Context(), n)
	if err != nil || len(changes) != 1 || changes[0].Path != "/mine" {
		t.Errorf("changes are %v, %v", changes, err)
	}
	unmountAll()
	b.in(n, func(dir string) {
		if text, err := os.ReadFile(dir + "/mine"); err != nil || string(text) != "mine" {
			t.Errorf("mine is %q, %v", text, err)
		}
	})
	unmountAll()
	b.view(b.chain, func(dir string) {
		if text, err := os.ReadFile(dir + "/top"); err != nil || string(text) != "top" {
			t.Errorf("a view shows top as %q, %v", text, err)
		}
	})
	unmountAll()
	b.must(d.Remove(t.Context(), n))
	b.empty()
}

// TestZFSBusy: a snapshot whose files are open stays whole.
func TestZFSBusy(t *testing.T) {
	fstest.NeedRoot(t)
	if !apart(t) {
		return
	}
	d := on(zfs(t), newZFS)(t).(*zfsDriver)
	b := &bench{T: t, d: d, s: d.s}
	b.image()
	n := b.prepare("")
	file, err := os.Open(d.sets.place(n.ID) + "/top")
	b.must(err)
	defer file.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := d.Remove(ctx, n); err == nil {
		t.Error("a snapshot that is in use was removed")
	}
	if _, err := b.s.Snapshot(n.ID); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	b.must(file.Close())
	if changes, err := d.Changes(t.Context(), n); err != nil || len(changes) > 0 {
		t.Errorf("it has changes: %v, %v", changes, err)
	}
	b.must(d.Remove(t.Context(), n))
	b.empty()
}
