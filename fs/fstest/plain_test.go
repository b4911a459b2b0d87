package fstest

import (
	"os/exec"
	"testing"
)

// plainDir is a copy of the merged tree in a plain directory, the reference
// for checks in which the kernel's overlayfs differs from one.
type plainDir struct{ dir string }

func (p plainDir) Root() string        { return p.dir }
func (p plainDir) Upper() string       { return p.dir }
func (p plainDir) Work() string        { return "" }
func (p plainDir) LowerDirs() []string { return nil }
func (p plainDir) Remount(testing.TB)  {}
func (p plainDir) Unmount(testing.TB)  {}

func plainMount(t *testing.T, layers Layers) Mounted {
	t.Helper()
	m := KernelMount(t, layers)
	dir := openTempDir(t)
	if out, err := exec.Command("cp", "-a", m.Root()+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v: %s", err, out)
	}
	return plainDir{dir}
}

// TestSuiteOnPlain proves the checks that the kernel's overlayfs can't: those
// that are about file systems and not about layers.
func TestSuiteOnPlain(t *testing.T) {
	NeedRoot(t)
	SuiteWith(t, plainMount, SuiteOptions{Omit: func(name, kernel string) string {
		switch {
		case kernel == "":
			return "proved on the kernel's overlayfs"
		case kernel == formatReason, name == "layers/whiteout-stray":
			return "about formats of layers"
		}
		return ""
	}})
}
