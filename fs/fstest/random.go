package fstest

import (
	"math/rand"
	"testing"
	"time"
)

// shrinkTime bounds how long a failure is made smaller.
const shrinkTime = 20 * time.Second

// Sequences says which random sequences to run.
type Sequences struct {
	First, Count int // seeds First … First+Count-1
	Length       int // operations in each
	Tolerance    Tolerance
	// Names, when it holds some, replaces the four names of Names.
	Names NameSpace
}

// RandomSequences runs seeds sequences of n operations over random layers and
// compares every result, the tree at the end, and the tree after a remount
// with the model. testing.Short runs a tenth. A failure is shrunk and printed
// as Go source.
func RandomSequences(t *testing.T, newMount NewMount, seeds, n int) {
	t.Helper()
	Sequences{Count: seeds, Length: n}.Run(t, newMount)
}

// Run is RandomSequences with a tolerance and chosen seeds.
func (s Sequences) Run(t *testing.T, newMount NewMount) {
	t.Helper()
	if testing.Short() {
		s.Count = (s.Count + 9) / 10
	}
	for seed := s.First; seed < s.First+s.Count && !t.Failed(); seed++ {
		s.one(t, newMount, int64(seed))
	}
}

func (s Sequences) names() NameSpace {
	ns := s.Names
	if len(ns.Names) == 0 {
		ns = Names()
	}
	ns.Mounts = true
	ns.User = ns.User || !trustedXattrs()
	return ns
}

func (s Sequences) one(t *testing.T, newMount NewMount, seed int64) {
	t.Helper()
	rng := rand.New(rand.NewSource(seed))
	ns := s.names()
	layers := RandomLayers(rng, ns)
	ns.Known = layers.paths()
	ops := Generate(rng, s.Length, ns)
	run := func(ops []Op) string { return s.versusModel(t, newMount, layers, ops) }
	if diff := run(ops); diff != "" {
		report(t, seed, layers, ops, diff, run)
	}
}

// report makes a failing sequence small and prints it with its layers.
func report(t *testing.T, seed int64, layers Layers, ops []Op, diff string, run func([]Op) string) {
	t.Helper()
	stop := time.Now().Add(shrinkTime)
	small := Shrink(ops, func(ops []Op) bool { return time.Now().Before(stop) && run(ops) != "" })
	if again := run(small); again != "" {
		diff = again
	}
	t.Errorf("seed %d: %s\nlayers:\n%s\noperations: %s", seed, diff, layers, GoList(small))
}

// versusModel is one run on a new mount: "" or what differs.
func (s Sequences) versusModel(t *testing.T, newMount NewMount, layers Layers, ops []Op) string {
	t.Helper()
	m := newMount(t, layers)
	defer m.Unmount(t)
	before := lowerSnapshot(t, m.LowerDirs())
	model, err := NewModel(m.Root(), umask())
	if err != nil {
		return "first look: " + err.Error()
	}
	start := since()
	state := &State{Remounted: func() { m.Remount(t) }}
	if diff := versus(m.Root(), state, model, ops, s.Tolerance); diff != "" {
		return diff
	}
	m.Remount(t)
	if diff := treeDiff(m.Root(), model, s.Tolerance, start, "after a remount"); diff != "" {
		return diff
	}
	if diff := Diff(before, lowerSnapshot(t, m.LowerDirs())); diff != "" {
		return "a lower layer changed:\n" + diff
	}
	return ""
}
