package layertar_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"unionfs/fs/fstest"
	"unionfs/layerstore/layertar"
)

// copyTree copies as the vfs driver does: other inodes, everything else alike.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp -a: %v\n%s", err, out)
	}
}

// TestPackDiff: the difference of two trees, on top of the first, is the second.
func TestPackDiff(t *testing.T) {
	fstest.NeedRoot(t)
	seeds := 40
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewSource(int64(seed)))
			ns := fstest.Names()
			ns.Tidy = true
			layers := fstest.RandomLayers(rng, ns)
			layers.Upper = ""
			top := t.TempDir()
			base, changed := filepath.Join(top, "base"), filepath.Join(top, "changed")
			whole := fstest.KernelMount(t, layers) // for a tree without marks
			copyTree(t, whole.Root(), base)
			whole.Unmount(t)
			copyTree(t, base, changed)
			ns.Known = layerPaths(layers)
			state := &fstest.State{Remounted: func() {}}
			for _, op := range fstest.Generate(rng, seed, ns) {
				op.Apply(changed, state)
			}
			state.Close()
			checkDiff(t, base, changed)
		})
	}
}

func checkDiff(t *testing.T, base, changed string) {
	t.Helper()
	var b bytes.Buffer
	if err := layertar.PackDiff(context.Background(), &b, openDir(t, base), openDir(t, changed), layertar.RealIDs); err != nil {
		t.Fatal(err)
	}
	top := unpack(t, b.Bytes())
	stack := fstest.KernelMount(t, fstest.Layers{ReadOnly: true, At: &fstest.Dirs{Lower: []string{top.dir, base}}})
	want := lines(t, changed)
	if diff := fstest.Diff(withoutSockets(want), withoutSockets(lines(t, stack.Root()))); diff != "" {
		t.Errorf("base and difference (+) make another tree than the changed one (-):\n%s", diff)
	}
	stack.Unmount(t)
	list, err := layertar.ChangesOf(context.Background(), openDir(t, base), openDir(t, changed))
	if err != nil {
		t.Fatal(err)
	}
	checkList(t, list, lines(t, base), want)
}

func TestChangesOf(t *testing.T) {
	top := t.TempDir()
	base, changed := filepath.Join(top, "base"), filepath.Join(top, "changed")
	err := fstest.Build(top, `
dir base
file base/same "1"
file base/content "1" mtime=7.000000005
file base/mode 0644 "1"
file base/gone/x "1"
file base/gone/y "1"
file base/deep/er/x "1"
file base/type "1"
file base/attr "1"
symlink base/link -> a
hardlink base/same2 = base/same
`)
	if err != nil {
		t.Fatal(err)
	}
	copyTree(t, base, changed)
	list, err := layertar.ChangesOf(context.Background(), openDir(t, base), openDir(t, changed))
	if err != nil || len(list) != 0 {
		t.Fatalf("a copy differs: %v %v", list, err)
	}
	err = fstest.Build(changed, `
file deep/er/y "new"
file new/x "new"
xattr attr user.x=1
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, do := range []func() error{
		// The same size and time, as rsync and compilers may leave them.
		func() error { return os.WriteFile(filepath.Join(changed, "content"), []byte("2"), 0o644) },
		func() error {
			return exec.Command("touch", "-r", filepath.Join(base, "content"), filepath.Join(changed, "content")).Run()
		},
		func() error { return os.Chmod(filepath.Join(changed, "mode"), 0o600) },
		func() error { return os.RemoveAll(filepath.Join(changed, "gone")) },
		func() error { return os.Remove(filepath.Join(changed, "type")) },
		func() error { return os.Mkdir(filepath.Join(changed, "type"), 0o755) },
		func() error { return os.Remove(filepath.Join(changed, "link")) },
		func() error { return os.Symlink("b", filepath.Join(changed, "link")) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	list, err = layertar.ChangesOf(context.Background(), openDir(t, base), openDir(t, changed))
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, c := range list {
		got += fmt.Sprintf("%c%s ", c.Kind, c.Path)
	}
	if want := "C/attr C/content C/deep C/deep/er A/deep/er/y D/gone C/link C/mode A/new A/new/x C/type "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
