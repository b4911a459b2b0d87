package driver

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPassingByKernel: without FUSE the kernel's overlayfs shows a directory, and
// what is written in it is gone with it. (With FUSE containers do this: see
// cmd/unionfs.)
func TestPassingByKernel(t *testing.T) {
	old := fuseDevice
	fuseDevice = filepath.Join(t.TempDir(), "nothing")
	defer func() { fuseDevice = old }()
	s, below, at := storeIn(t, t.TempDir()), t.TempDir(), t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(below, "file"), []byte("below"), 0o644))
	must(os.Chmod(below, 0o750))
	m, file, err := Pass(t.Context(), s, Passing{Dir: below, Writable: true}, MountOptions{})
	if !mayMount() {
		if err == nil {
			t.Error("somebody without the right to mount has mounted")
		}
		return
	}
	must(err)
	must(unix.MoveMount(int(file.Fd()), "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH))
	defer func() { _ = unix.Unmount(at, unix.MNT_DETACH) }()
	if fi, err := os.Stat(at); err != nil || fi.Mode().Perm() != 0o750 {
		t.Errorf("its root is %v, %v", fi.Mode(), err)
	}
	must(os.WriteFile(filepath.Join(at, "file"), []byte("above"), 0o644))
	must(os.WriteFile(filepath.Join(at, "new"), nil, 0o644))
	if text, err := os.ReadFile(filepath.Join(below, "file")); err != nil || string(text) != "below" {
		t.Errorf("below there is %q, %v", text, err)
	}
	must(file.Close())
	must(unix.Unmount(at, 0))
	must(m.Unmount())
	if left, err := os.ReadDir(filepath.Join(s.Root(), "stages")); err != nil || len(left) > 0 {
		t.Errorf("what was written stays: %v, %v", left, err)
	}
}

func TestPassingNothing(t *testing.T) {
	s := storeIn(t, t.TempDir())
	if _, _, err := Pass(t.Context(), s, Passing{}, MountOptions{}); !errors.Is(err, errNoLayers) {
		t.Errorf("an image without layers: %v", err)
	}
	if _, _, err := Pass(t.Context(), s, Passing{Dir: filepath.Join(t.TempDir(), "nowhere")}, MountOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that isn't there: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(s.Root(), "stages")); err != nil || len(left) > 0 {
		t.Errorf("failures leave %v, %v", left, err)
	}
}
