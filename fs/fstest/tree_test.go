package fstest

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBuildIsDeterministic: the same text makes the same tree, and every
// change of a field shows in the snapshot.
func TestBuildIsDeterministic(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		if err := Build(dir, plainUserTree); err != nil {
			t.Fatal(err)
		}
	}
	before := snapshot(t, a)
	if diff := Diff(before, snapshot(t, b)); diff != "" {
		t.Fatalf("two builds differ:\n%s", diff)
	}
	for what, change := range map[string]func(dir string) error{
		"mode":     func(d string) error { return unix.Chmod(d+"/f", 0o600) },
		"mtime":    func(d string) error { return setMtime(d+"/d/l", Stamp{Sec: 1}) },
		"xattr":    func(d string) error { return unix.Setxattr(d+"/f", "user.a", []byte("2"), 0) },
		"content":  func(d string) error { return unix.Truncate(d+"/s", 1<<30-1) },
		"link":     func(d string) error { return unix.Unlink(d + "/d/h") },
		"new name": func(d string) error { return unix.Mkdir(d+"/\xff\n", 0o755) },
	} {
		earlier := snapshot(t, b)
		if err := change(b); err != nil {
			t.Fatal(err)
		}
		if Diff(earlier, snapshot(t, b)) == "" {
			t.Errorf("a changed %s doesn't show", what)
		}
	}
}

const plainUserTree = `
file f 0644 "text" user.a=1 mtime=-5.25   # comment
dir d 02755
symlink d/l -> "../f"
hardlink d/h = f
sparse s 1073741824 4096 "island"
random r 100000 7
fifo p 0600
sock q
file \xff\x20 "odd"
`

func snapshot(t *testing.T, dir string) []string {
	t.Helper()
	out, err := Snapshot(dir, SnapshotOptions{DirNlink: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBuildSaysWhichLineIsWrong(t *testing.T) {
	for _, text := range []string{"nonsense x", "dir", "char c x y", "symlink l target", `file f "open`, "format x\nwhiteout w", "file f 09"} {
		if err := Build(t.TempDir(), text); err == nil || !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEscapeRoundTrip(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	back, err := Unescape(Escape(string(all)))
	if err != nil || back != string(all) {
		t.Errorf("%q %v", back, err)
	}
}

func TestDiff(t *testing.T) {
	got := Diff([]string{"a 1", "b 1", "d 1"}, []string{"a 1", "b 2", "c 1", "d 1"})
	if want := "- b 1\n+ b 2\n+ c 1\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestShrink: three of a hundred operations matter, in their order.
func TestShrink(t *testing.T) {
	var ops []Op
	for i := range 100 {
		ops = append(ops, Op{Kind: Stat, Slot: i})
	}
	needed := []int{7, 50, 93}
	small := Shrink(ops, func(ops []Op) bool {
		var have []int
		for _, op := range ops {
			if slices.Contains(needed, op.Slot) {
				have = append(have, op.Slot)
			}
		}
		return slices.Equal(have, needed)
	})
	if len(small) != 3 {
		t.Errorf("%d left: %s", len(small), GoList(small))
	}
}

// TestEveryKindIsApplied: a kind without a function on one side would be a
// panic in some later sequence.
func TestEveryKindIsApplied(t *testing.T) {
	for k := range numKinds {
		if hostKinds[k] == nil || modelKinds[k] == nil || kindNames[k] == "" {
			t.Errorf("kind %d lacks a function or a name", k)
		}
	}
}
