package fstest

import "testing"

// TestSuiteOnKernel proves the checks themselves: the kernel's overlayfs
// passes all but those that state why it can't.
func TestSuiteOnKernel(t *testing.T) {
	NeedRoot(t)
	SuiteWith(t, KernelMount, SuiteOptions{
		Tolerance: KernelTolerance,
		Omit: func(_, kernel string) string {
			if kernel != "" {
				return "by design: " + kernel
			}
			return ""
		},
	})
}
