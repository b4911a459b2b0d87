package fstest

import (
	"math/rand"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// plainTree is where sequences on a plain directory begin.
const plainTree = `
dir a 0755
file a/a 0644 "one" user.x=1
file a/b 04755 "two" owner=500:500
hardlink b = a/a
dir a/c 02775 owner=0:500
symlink c -> a/c
symlink d -> d
dir a/d 0700
`

// TestModel is the proof that the oracle is right: what the model says is what
// a real file system does.
func TestModel(t *testing.T) {
	rounds, length := 300, 80
	if testing.Short() {
		rounds = 30
	}
	for _, fs := range []struct{ name, dir string }{{"disk", t.TempDir()}, {"tmpfs", tmpfs(t)}} {
		t.Run(fs.name, func(t *testing.T) {
			for seed := range rounds {
				ops := Generate(rand.New(rand.NewSource(int64(seed))), length, modelNames())
				if fs.name == "tmpfs" {
					ops = without(ops, Fallocate) // no ZERO_RANGE there, and times differ
				}
				checkModel(t, fs.dir, ops)
			}
		})
	}
}

func modelNames() NameSpace {
	ns := Names()
	ns.Known = []string{"a", "a/a", "a/b", "b", "a/c", "c", "a/d"}
	ns.User = !trustedXattrs()
	return ns
}

// plainTreeFor leaves other owners out where only one id is mapped, and with
// them suid: writes clear it there.
func plainTreeFor() string {
	if trustedXattrs() {
		return plainTree
	}
	return strings.NewReplacer("owner=500:500", "", "owner=0:500", "", "04755", "0755").Replace(plainTree)
}

func without(ops []Op, kind Kind) []Op {
	var out []Op
	for _, op := range ops {
		if op.Kind != kind {
			out = append(out, op)
		}
	}
	return out
}

func tmpfs(t *testing.T) string {
	dir := t.TempDir()
	if unix.Geteuid() != 0 {
		return dir
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Skipf("tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func checkModel(t *testing.T, base string, ops []Op) {
	t.Helper()
	run := func(ops []Op) string { return modelRun(t, base, ops) }
	diff := run(ops)
	if diff == "" {
		return
	}
	small := Shrink(ops, func(ops []Op) bool { return run(ops) != "" })
	t.Fatalf("%s\n%s", run(small), GoList(small))
}

func modelRun(t *testing.T, base string, ops []Op) string {
	dir, err := os.MkdirTemp(base, "m")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // the test's own directory goes at its end in any case
	if err := Build(dir, plainTreeFor()); err != nil {
		t.Fatal(err)
	}
	m, err := NewModel(dir, umask())
	if err != nil {
		t.Fatal(err)
	}
	return versus(dir, &State{}, m, ops, Tolerance{})
}
