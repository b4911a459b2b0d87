package union

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/whiteout"
)

// TestRandom compares random operations with fstest's model, as mounts are
// compared there, but without a kernel between.
func TestRandom(t *testing.T) {
	rigUp(t, fstest.Layers{Lower: []string{""}}).tree(fstest.SnapshotOptions{}) // opens what the process keeps
	for _, variant := range variants {
		t.Run(variant.name, func(t *testing.T) {
			budget := 4 * time.Second
			if testing.Short() {
				budget = time.Second
			}
			if more, err := time.ParseDuration(os.Getenv("UNION_RANDOM")); err == nil {
				budget = more
			}
			seeds := int64(0)
			for stop := time.Now().Add(budget); time.Now().Before(stop) && !t.Failed(); seeds++ {
				randomSequence(t, seeds, 60, variant.upper, variant.option)
			}
			t.Logf("%d sequences", seeds)
		})
	}
}

var variants = []struct {
	name   string
	option func(r *rig)
	// upper is the form of the whiteouts that upper holds already.
	upper string
}{
	{"default", func(*rig) {}, ""},
	{"no rename flags", func(r *rig) {
		r.tweak = func(u *Union) { u.caps.RenameWhiteout, u.caps.Exchange = false, false }
	}, ""},
	{"aufs", func(r *rig) { r.tweak = func(u *Union) { force(u, whiteout.FormatAufs) } }, "format aufs\n"},
	{"xattr", func(r *rig) { r.tweak = func(u *Union) { force(u, whiteout.FormatXattr) } }, "format xattr\n"},
	{"no metacopy", func(r *rig) { r.cfg.NoMetacopy = true }, ""},
	{"user xattrs", func(r *rig) { r.cfg.UserXattr = true }, ""},
	{"live", func(r *rig) { r.cfg.Live = true }, ""},
	{"few descriptors", func(r *rig) {
		r.tweak = func(u *Union) { u.dirs.limit, u.files.limit = 4, 4 }
	}, ""},
}

// force makes the union write whiteouts in a form that the host doesn't need.
func force(u *Union, f whiteout.Format) {
	u.codec = whiteout.NewCodec(f, u.caps.Namespace)
	u.caps.Format = f
	u.caps.RenameWhiteout = false
}

func randomSequence(t *testing.T, seed int64, length int, upper string, option func(r *rig)) {
	t.Helper()
	rng := rand.New(rand.NewSource(seed))
	ns := fstest.Names()
	ns.Mounts = true
	layers := fstest.RandomLayers(rng, ns)
	layers.Upper = upper + layers.Upper
	ns.Known = pathsOf(layers)
	ops := fstest.Generate(rng, length, ns)
	if !zeroesRanges(t) {
		ops = slices.DeleteFunc(ops, func(o fstest.Op) bool {
			return o.Kind == fstest.Fallocate && o.Flags&unix.FALLOC_FL_ZERO_RANGE != 0
		})
	}
	run := func(ops []fstest.Op) string { return versusModel(t, layers, ops, option) }
	diff := run(ops)
	if diff == "" {
		return
	}
	stop := time.Now().Add(15 * time.Second)
	small := fstest.Shrink(ops, func(ops []fstest.Op) bool { return time.Now().Before(stop) && run(ops) != "" })
	if again := run(small); again != "" {
		diff = again
	}
	t.Errorf("seed %d: %s\nlayers:\n%s\noperations: %s", seed, diff, layers, fstest.GoList(small))
}

// zeroesRanges tells whether the test's file system can (tmpfs can't).
func zeroesRanges(t *testing.T) bool {
	t.Helper()
	f, err := os.CreateTemp("", "zero")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_ZERO_RANGE, 0, 1) == nil
}

func pathsOf(layers fstest.Layers) []string {
	var out []string
	for _, line := range strings.Split(layers.String(), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] != "--" && words[0] != "format" {
			out = append(out, words[1])
		}
	}
	return out
}

// versusModel is one run over new layers: "" or what differs.
func versusModel(t *testing.T, layers fstest.Layers, ops []fstest.Op, option func(r *rig)) string {
	t.Helper()
	base, err := os.MkdirTemp("", "union")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	before := countFDs(t)
	diff := versusIn(t, base, layers, ops, option)
	if after := countFDs(t); diff == "" && after != before {
		diff = fmt.Sprintf("%d descriptors are open after Close, %d were before", after, before)
	}
	return diff
}

func versusIn(t *testing.T, base string, layers fstest.Layers, ops []fstest.Op, option func(r *rig)) string {
	t.Helper()
	dirs := stackIn(t, base, layers)
	r := &rig{TB: t, dirs: dirs, cfg: Config{Lower: dirs.Lower, Upper: dirs.Upper, Work: dirs.Work, NoSync: true}}
	option(r)
	r.open()
	defer r.close()
	lower := rawLowers(t, dirs)

	if err := os.Mkdir(base+"/mirror", 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := mirrorOf(r.u, base+"/mirror")
	if err != nil {
		return "first look: " + err.Error()
	}
	model, err := fstest.NewModel(root, testUmask)
	if err != nil {
		return "model: " + err.Error()
	}
	opt := fstest.SnapshotOptions{DirNlink: true, Since: time.Now().Add(-time.Second)}
	drive := driver{u: r.u}
	leaked := ""
	drive.reopen = func() *Union {
		leaked = leaks(r.u)
		r.reopen()
		return r.u
	}
	defer drive.release()
	for i, op := range ops {
		got, want := drive.apply(op), model.Apply(op)
		if diff := mismatch(got, want); diff != "" {
			return fmt.Sprintf("operation %d: %s: %s", i+1, op, diff)
		}
		if leaked != "" {
			return "at a remount: " + leaked
		}
	}
	drive.release()
	for _, when := range []string{"at the end", "after a remount"} {
		if bad := leaks(r.u); bad != "" {
			return when + ": " + bad
		}
		tree, err := treeOf(t, r.u, opt)
		if err != nil {
			return when + ": " + err.Error()
		}
		if diff := fstest.Diff(model.Snapshot(opt), tree); diff != "" {
			return "tree " + when + " (- is wanted, + is there):\n" + diff
		}
		if bad := leaks(r.u); bad != "" {
			return when + ", after a look: " + bad
		}
		r.reopen()
	}
	if diff := fstest.Diff(lower, rawLowers(t, dirs)); diff != "" {
		return "a lower layer changed:\n" + diff
	}
	return ""
}

func mismatch(got, want fstest.Result) string {
	switch {
	case got.Errno != want.Errno, got.Stat != nil && want.Stat != nil && *got.Stat != *want.Stat:
		return fmt.Sprintf("got %s, want %s", got, want)
	case got.Out != want.Out:
		return fmt.Sprintf("got %.80q, want %.80q", got.Out, want.Out)
	}
	return ""
}

// stackIn is Layers.Dirs for a directory that can go before the test does.
func stackIn(t testing.TB, base string, layers fstest.Layers) fstest.Dirs {
	t.Helper()
	tree := func(name, text string) string {
		dir := base + "/" + name
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := fstest.Build(dir, text); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	var d fstest.Dirs
	for i, text := range layers.Lower {
		d.Lower = append(d.Lower, tree(fmt.Sprintf("l%d", i), text))
	}
	d.Upper, d.Work = tree("upper", layers.Upper), tree("work", "")
	return d
}

func rawLowers(t testing.TB, d fstest.Dirs) []string {
	t.Helper()
	var out []string
	for i, dir := range d.Lower {
		tree, err := fstest.Snapshot(dir, fstest.SnapshotOptions{Private: true, DirNlink: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range tree {
			out = append(out, fmt.Sprintf("lower%03d:%s", i, line))
		}
	}
	return out
}
