package fstest

import "testing"

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
