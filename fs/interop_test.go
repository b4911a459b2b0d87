package fs_test

import (
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs"
	"unionfs/fs/fstest"
	"unionfs/fs/union"
)

// fuseOverlayfs mounts with fuse-overlayfs.
func fuseOverlayfs(t *testing.T, dirs fstest.Dirs) (root string, unmount func()) {
	t.Helper()
	fstest.NeedFUSE(t)
	program, err := exec.LookPath("fuse-overlayfs")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("needed in CI: fuse-overlayfs")
		}
		t.Skip("needs fuse-overlayfs")
	}
	root = filepath.Join(t.TempDir(), "fuse-overlayfs")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	lower := ""
	for _, dir := range dirs.Lower {
		lower += ":" + dir
	}
	options := "lowerdir=" + lower[1:] + ",upperdir=" + dirs.Upper + ",workdir=" + dirs.Work
	if out, err := exec.Command(program, "-o", options, root).CombinedOutput(); err != nil {
		t.Fatalf("fuse-overlayfs: %v: %s", err, out)
	}
	up := true
	unmount = func() {
		if up {
			up = false
			if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
				t.Errorf("unmount: %v", err)
			}
		}
	}
	t.Cleanup(unmount)
	return root, unmount
}

// interopNames keep to what both know: hard links of lower files part in
// fuse-overlayfs, and whiteouts that hide nothing are nobody's business.
func interopNames() fstest.NameSpace {
	names := fstest.Names()
	names.Single, names.Tidy = true, true
	return names
}

var interopShot = fstest.SnapshotOptions{NoMtime: true, NoNlink: true}

func shot(t *testing.T, root string) []string {
	t.Helper()
	tree, err := fstest.Snapshot(root, interopShot)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func apply(root string, seed int64) {
	state := &fstest.State{}
	defer state.Close()
	for _, op := range fstest.Generate(rand.New(rand.NewSource(seed)), 40, interopNames()) {
		op.Apply(root, state)
	}
}

// TestReadsFuseOverlayfs mounts what fuse-overlayfs wrote.
func TestReadsFuseOverlayfs(t *testing.T) {
	fstest.NeedRoot(t)
	for seed := range int64(20) {
		layers := fstest.RandomLayers(rand.New(rand.NewSource(seed)), interopNames())
		dirs := layers.Dirs(t)
		theirs, unmount := fuseOverlayfs(t, dirs)
		apply(theirs, seed)
		want := shot(t, theirs)
		unmount()
		ours := newMount(t, fstest.Layers{At: &dirs})
		if diff := fstest.Diff(want, shot(t, ours.Root())); diff != "" {
			t.Fatalf("seed %d: - is fuse-overlayfs's:\n%s\nlayers:\n%s", seed, diff, layers)
		}
		ours.Unmount(t)
	}
}

// TestFuseOverlayfsReadsOurs lets fuse-overlayfs mount what we wrote, without
// the redirects and metadata copies that it doesn't know.
func TestFuseOverlayfsReadsOurs(t *testing.T) {
	fstest.NeedRoot(t)
	plain := mountWith(func(cfg *fs.Config) {
		cfg.Union.NoMetacopy = true
		cfg.Union.RedirectDir = union.RedirectNoFollow
	})
	for seed := range int64(20) {
		layers := fstest.RandomLayers(rand.New(rand.NewSource(seed)), interopNames())
		dirs := layers.Dirs(t)
		ours := plain(t, fstest.Layers{At: &dirs})
		apply(ours.Root(), seed)
		want := shot(t, ours.Root())
		ours.Unmount(t)
		theirs, unmount := fuseOverlayfs(t, dirs)
		if diff := fstest.Diff(want, shot(t, theirs)); diff != "" {
			t.Fatalf("seed %d: - is ours:\n%s\nlayers:\n%s", seed, diff, layers)
		}
		unmount()
	}
}
