package driver

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"unionfs/fs/fstest"
)

// TestMountedElsewhere: a mount that is in another mount namespace keeps its
// snapshot from being mounted again or removed.
func TestMountedElsewhere(t *testing.T) {
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
	b.chain = addLayers(t, st, archive(t, member{name: "./"}))
	n := b.prepare("")
	exe, err := os.Executable()
	b.must(err)
	b.command = exec.Command("unshare", "--mount", exe)
	b.mounted(order{Snapshot: n.ID}, func(string) {
		if !Mounted(n) {
			t.Error("it is said not to be mounted")
		}
		err := d.Remove(b.Context(), n)
		if err == nil || !strings.Contains(err.Error(), "in the mount namespace of process") {
			t.Errorf("removed under a mount: %v", err)
		}
	})
	if Mounted(n) {
		t.Error("it is still said to be mounted")
	}
	b.must(d.Remove(b.Context(), n))
}
