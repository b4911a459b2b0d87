package fstest

import (
	"math/rand"
	"testing"
)

// TestKernelAgainstItself proves that Against finds nothing where there is
// nothing: both sides are the same file system.
func TestKernelAgainstItself(t *testing.T) {
	NeedRoot(t)
	Against(t, KernelMount, KernelMount)
}

// TestKernelSequences learns where the kernel's overlayfs differs from the
// model; the tolerance is the list in doc.go.
func TestKernelSequences(t *testing.T) {
	NeedRoot(t)
	ns := Names()
	ns.Tidy = true
	Sequences{Names: ns, Count: 200, Length: 60, Tolerance: KernelTolerance}.Run(t, KernelMount)
}

// TestSequencesFindBugs: a file system that can't rename lower directories is
// found out, and one operation is enough to show it.
func TestSequencesFindBugs(t *testing.T) {
	NeedRoot(t)
	ns := Names()
	ns.Tidy = true
	s := Sequences{Names: ns, Tolerance: KernelTolerance}
	layers := Layers{Lower: []string{"file a/b/c \"x\"\nfile d"}}
	ns.Known = []string{"a", "a/b", "a/b/c", "d"}
	crippled := func(t *testing.T, layers Layers) Mounted {
		k := KernelMount(t, layers).(*kernelMount)
		k.opts = "redirect_dir=off,metacopy=off,index=off"
		k.dirs.Upper, k.dirs.Work = newTree(t, k.target+".u", ""), newTree(t, k.target+".w", "")
		k.Remount(t)
		return k
	}
	run := func(ops []Op) string { return s.versusModel(t, crippled, layers, ops) }
	var ops []Op
	for seed := int64(0); run(ops) == ""; seed++ {
		if seed == 8 {
			t.Fatal("nothing found")
		}
		ops = Generate(rand.New(rand.NewSource(seed)), 80, ns)
	}
	small := Shrink(ops, func(ops []Op) bool { return run(ops) != "" })
	if len(small) != 1 || small[0].Kind != Rename {
		t.Errorf("shrunk to %s", GoList(small))
	}
}
