package driver

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/layerstore/layertar"
)

// TestOverlayUsersOwn: what users of the kernel's overlay may write is theirs,
// though it looks like a mark of another union.
func TestOverlayUsersOwn(t *testing.T) {
	fstest.NeedRoot(t)
	fstest.NeedKernelOverlay(t)
	s := storeIn(t, t.TempDir())
	d, err := byName("overlay", s)
	if err != nil {
		t.Fatal(err)
	}
	needProbe(t, d)
	b := &bench{T: t, d: d, s: s}
	st, err := s.Begin()
	b.must(err)
	defer st.Close()
	b.chain = addLayers(t, st, archive(t, member{name: "./"}, member{name: "dir/"}, member{name: "dir/below", text: "below"},
		member{name: "moved/"}, member{name: "moved/kept", text: "kept"}))
	n := b.prepare("")
	b.in(n, func(dir string) {
		b.must(os.WriteFile(dir+"/dir/new", nil, 0o600))
		b.must(os.WriteFile(dir+"/moved/new", nil, 0o600))
		if inInitialUserNS() {
			b.must(unix.Setxattr(dir+"/dir", "user.overlay.opaque", []byte("y"), 0))
			b.must(unix.Setxattr(dir+"/moved", "user.overlay.redirect", []byte("/dir"), 0))
		}
		b.must(unix.Setxattr(dir+"/dir", "user.fuseoverlayfs.opaque", []byte("y"), 0))
		b.must(os.WriteFile(dir+"/dir/.wh.below", nil, 0o600))
	})
	changes, err := d.Changes(b.Context(), n)
	b.must(err)
	for _, c := range changes {
		if c.Kind == layertar.Deleted {
			t.Errorf("%s is said to be deleted, and isn't", c.Path)
		}
		if c.Path == "/moved/below" || c.Path == "/moved/kept" {
			t.Errorf("%s is said to have changed", c.Path)
		}
	}
}
