package union

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strconv"
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
			for seed := range randomCount(t) {
				if randomSequence(t, seed, 60, variant.upper, variant.option); t.Failed() {
					break
				}
			}
		})
	}
}

// randomCount is how many sequences a variant gets: UNION_RANDOM, if set. It is
// a number and no time, so that two runs test the same.
func randomCount(t *testing.T) int64 {
	t.Helper()
	if more, err := strconv.ParseInt(os.Getenv("UNION_RANDOM"), 10, 64); err == nil {
		return more
	}
	if testing.Short() {
		return 4
	}
	return 20
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
	{"indexed lowers", indexLowers, ""},
	{"upper by aufs", func(*rig) {}, "format aufs\n"},
	{"aufs over an upper of devices", func(r *rig) { r.tweak = func(u *Union) { force(u, whiteout.FormatAufs) } }, ""},
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

// TestGenerations makes each upper the highest lower of the next union, under
// random operations: what renames, metadata copies and whiteouts of one say,
// the next must read. Hard links are left out: the index that holds them
// together stays behind with work.
func TestGenerations(t *testing.T) {
	fstest.NeedRoot(t)
	for _, variant := range variants[:4] {
		t.Run(variant.name, func(t *testing.T) {
			for seed := range randomCount(t) {
				if generations(t, seed, variant.option); t.Failed() {
					break
				}
			}
		})
	}
}

func generations(t *testing.T, seed int64, option func(r *rig)) {
	t.Helper()
	rng := rand.New(rand.NewSource(seed))
	ns := fstest.Names()
	ns.Single = true
	layers := fstest.RandomLayers(rng, ns)
	layers.Upper = ""
	ns.Known = pathsOf(layers)
	ops := slices.DeleteFunc(fstest.Generate(rng, 120, ns), func(o fstest.Op) bool {
		return o.Kind == fstest.Link || o.Kind == fstest.Fallocate || o.Kind >= fstest.Hold
	})
	run := func(ops []fstest.Op) string { return manyUppers(t, layers, ops, option) }
	diff := run(ops)
	if diff == "" {
		return
	}
	end := time.Now().Add(15 * time.Second)
	small := fstest.Shrink(ops, func(ops []fstest.Op) bool { return time.Now().Before(end) && run(ops) != "" })
	if again := run(small); again != "" {
		diff = again
	}
	t.Errorf("seed %d: %s\nlayers:\n%s\noperations, with a new upper after each eighth: %s", seed, diff, layers, fstest.GoList(small))
}

// manyUppers starts a new upper after each eighth operation.
func manyUppers(t *testing.T, layers fstest.Layers, ops []fstest.Op, option func(r *rig)) string {
	t.Helper()
	base, err := os.MkdirTemp("", "union")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	dirs := stackIn(t, base, layers)
	r := &rig{TB: t, dirs: dirs, cfg: Config{Lower: dirs.Lower, Upper: dirs.Upper, Work: dirs.Work, NoSync: true}}
	option(r)
	r.open()
	defer func() { r.close() }()
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
	for i := 0; ; i++ {
		if i%8 == 0 || i == len(ops) {
			tree, err := treeOf(t, r.u, opt)
			if err != nil {
				return fmt.Sprintf("after %d operations: %v", i, err)
			}
			if diff := fstest.Diff(model.Snapshot(opt), tree); diff != "" {
				return fmt.Sprintf("after %d operations (- is wanted, + is there):\n%s", i, diff)
			}
		}
		if i == len(ops) {
			return ""
		}
		d := driver{u: r.u}
		got, want := d.apply(ops[i]), model.Apply(ops[i])
		if diff := mismatch(got, want); diff != "" {
			return fmt.Sprintf("operation %d: %s: %s", i+1, ops[i], diff)
		}
		if i%8 == 7 {
			r.nextGeneration(t, fmt.Sprintf("%s/g%d", base, i))
		}
	}
}

// nextGeneration closes the union and opens one with a new upper over the old.
func (r *rig) nextGeneration(t testing.TB, base string) {
	t.Helper()
	r.close()
	if err := os.RemoveAll(r.cfg.Work); err != nil { // the index's links count
		t.Fatal(err)
	}
	r.cfg.Lower = append([]string{r.cfg.Upper}, r.cfg.Lower...)
	r.cfg.Upper, r.cfg.Work = base+"upper", base+"work"
	for _, dir := range []string{r.cfg.Upper, r.cfg.Work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// A new root says nothing of the old one's attributes: they are not merged.
	copyRoot(t, r.cfg.Lower[0], r.cfg.Upper)
	r.dirs.Lower, r.dirs.Upper, r.dirs.Work = r.cfg.Lower, r.cfg.Upper, r.cfg.Work
	r.open()
}

func copyRoot(t testing.TB, from, to string) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(from, &st); err != nil {
		t.Fatal(err)
	}
	ts := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, to, ts, 0); err != nil {
		t.Fatal(err)
	}
}
