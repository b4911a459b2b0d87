package fstest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Layers describe a stack before it is mounted.
type Layers struct {
	Lower    []string // descriptions for Build, highest first
	Upper    string   // description of what stands in the upper already
	ReadOnly bool     // no upper
	Options  string   // further mount options of the file system under test

	// At is a stack that stands on disk already: it is mounted as it is, and
	// the descriptions count for nothing.
	At *Dirs
}

// Dirs is a stack on disk.
type Dirs struct {
	Lower       []string // highest first
	Upper, Work string   // empty when read-only
}

// Mounted is a stack that is mounted, under whatever implementation.
type Mounted interface {
	Root() string
	Upper() string
	Work() string
	LowerDirs() []string
	// Remount unmounts and mounts the same directories again: all that the
	// implementation kept in memory is gone.
	Remount(t testing.TB)
	// Unmount ends it before the test does, so that another implementation
	// may mount the directories. A second call does nothing.
	Unmount(t testing.TB)
}

// NewMount mounts layers for one test and unmounts them at its end. It makes
// the directories by Layers.Dirs.
type NewMount func(t *testing.T, layers Layers) Mounted

// Dirs builds the described stack below a directory of the test, or returns
// the one that exists.
func (l Layers) Dirs(t testing.TB) Dirs {
	t.Helper()
	if l.At != nil {
		return *l.At
	}
	base := openTempDir(t)
	var d Dirs
	for i, text := range l.Lower {
		d.Lower = append(d.Lower, newTree(t, filepath.Join(base, fmt.Sprintf("l%d", i)), text))
	}
	if !l.ReadOnly {
		d.Upper = newTree(t, filepath.Join(base, "upper"), l.Upper)
		d.Work = newTree(t, filepath.Join(base, "work"), "")
	}
	return d
}

func newTree(t testing.TB, dir, text string) string {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Build(dir, text); err != nil {
		t.Fatal(err)
	}
	return dir
}

// openTempDir is a test's directory that other users may pass through: the
// parent that the testing package makes may be closed to them.
func openTempDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// lowerSnapshot is everything about the lower trees, the overlay's own notes
// included: it must never change.
func lowerSnapshot(t testing.TB, dirs []string) []string {
	t.Helper()
	var out []string
	for i, dir := range dirs {
		tree, err := Snapshot(dir, SnapshotOptions{Private: true, DirNlink: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range tree {
			out = append(out, fmt.Sprintf("lower%03d:%s", i, line))
		}
	}
	return out
}
