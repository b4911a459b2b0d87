package fstest

import (
	"math/rand"
	"testing"
)

// Against runs the same random sequences on newMount and on oracle (the
// kernel's overlayfs, usually): same results, same tree. Then each mounts the
// upper that the other wrote and must show that tree too.
func Against(t *testing.T, newMount, oracle NewMount) {
	t.Helper()
	ns := Names()
	ns.Tidy = true // the oracle lists whiteouts that hide nothing
	// Neither finds the copies of lower hard links in the other's index.
	ns.Single = true
	Sequences{Count: 60, Length: 50, Names: ns, Tolerance: KernelTolerance}.Against(t, newMount, oracle)
}

// Against is the function with chosen seeds and tolerance.
func (s Sequences) Against(t *testing.T, newMount, oracle NewMount) {
	t.Helper()
	if testing.Short() {
		s.Count = (s.Count + 9) / 10
	}
	for seed := s.First; seed < s.First+s.Count && !t.Failed(); seed++ {
		rng := rand.New(rand.NewSource(int64(seed)))
		ns := s.names()
		layers := RandomLayers(rng, ns)
		ns.Known = layers.paths()
		ops := Generate(rng, s.Length, ns)
		run := func(ops []Op) string { return s.pair(t, newMount, oracle, layers, ops) }
		if diff := run(ops); diff != "" {
			report(t, int64(seed), layers, ops, diff, run)
		}
	}
}

func (s Sequences) pair(t *testing.T, newMount, oracle NewMount, layers Layers, ops []Op) string {
	t.Helper()
	ours, theirs := newMount(t, layers), oracle(t, layers)
	defer ours.Unmount(t)
	defer theirs.Unmount(t)
	opt := s.Tolerance.snapshot()
	opt.Since = since()
	if diff := s.results(t, ours, theirs, ops); diff != "" {
		return diff
	}
	a, b := mountSnapshot(t, ours, opt), mountSnapshot(t, theirs, opt)
	if diff := Diff(b, a); diff != "" {
		return "trees (- is the oracle's, + is ours):\n" + diff
	}
	return s.crossed(t, newMount, oracle, ours, theirs, opt)
}

// results applies each operation to both.
func (s Sequences) results(t *testing.T, ours, theirs Mounted, ops []Op) string {
	t.Helper()
	ourState := &State{Remounted: func() { ours.Remount(t) }}
	theirState := &State{Remounted: func() { theirs.Remount(t) }}
	defer ourState.Close()
	defer theirState.Close()
	for _, op := range ops {
		got, want := op.Apply(ours.Root(), ourState), op.Apply(theirs.Root(), theirState)
		if diff := s.Tolerance.mismatch(op, got, want); diff != "" {
			return op.String() + ": " + diff
		}
	}
	return ""
}

// crossed lets each side mount what the other wrote.
func (s Sequences) crossed(t *testing.T, newMount, oracle NewMount, ours, theirs Mounted, opt SnapshotOptions) string {
	t.Helper()
	ours.Unmount(t)
	theirs.Unmount(t)
	opt.NoMtime = true // the first mount may have copied up since
	var want []string
	for _, side := range []struct {
		who   string
		mount NewMount
		of    Mounted
	}{{"ours", newMount, ours}, {"the oracle on ours", oracle, ours}, {"ours on the oracle's", newMount, theirs}} {
		at := Dirs{side.of.LowerDirs(), side.of.Upper(), side.of.Work()}
		m := side.mount(t, Layers{At: &at})
		got := mountSnapshot(t, m, opt)
		m.Unmount(t)
		if want == nil {
			want = got
		}
		if diff := Diff(want, got); diff != "" {
			return "upper mounted by " + side.who + " (- is wanted):\n" + diff
		}
	}
	return ""
}

func mountSnapshot(t *testing.T, m Mounted, opt SnapshotOptions) []string {
	t.Helper()
	tree, err := Snapshot(m.Root(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
