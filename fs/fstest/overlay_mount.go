package fstest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kernelMount is the kernel's overlayfs as a Mounted.
type kernelMount struct {
	dirs   Dirs
	opts   string
	target string
	up     bool
}

// KernelMount is the NewMount of the kernel's overlayfs, the second opinion on
// every check. Options of the layers that it doesn't know are not for it.
func KernelMount(t *testing.T, layers Layers) Mounted {
	t.Helper()
	NeedKernelOverlay(t)
	opts := KernelOptions
	switch {
	case !trustedXattrs():
		opts = "userxattr" // redirect_dir and metacopy are refused there
	case layers.ReadOnly: // index needs an upper
		opts = strings.ReplaceAll(opts, ",index=on", "")
	}
	k := &kernelMount{dirs: layers.Dirs(t), opts: opts, target: filepath.Join(openTempDir(t), "overlay")}
	if err := os.Mkdir(k.target, 0o755); err != nil {
		t.Fatal(err)
	}
	k.mount(t)
	t.Cleanup(func() { k.Unmount(t) })
	return k
}

func (k *kernelMount) mount(t testing.TB) {
	t.Helper()
	if err := mountOverlay(k.target, k.dirs, k.opts); err != nil {
		t.Fatalf("overlay on %s: %v", k.target, err)
	}
	k.up = true
}

func (k *kernelMount) Root() string        { return k.target }
func (k *kernelMount) Upper() string       { return k.dirs.Upper }
func (k *kernelMount) Work() string        { return k.dirs.Work }
func (k *kernelMount) LowerDirs() []string { return k.dirs.Lower }

func (k *kernelMount) Unmount(t testing.TB) {
	t.Helper()
	if k.up {
		k.up = false
		unmount(t, k.target)
	}
}

func (k *kernelMount) Remount(t testing.TB) {
	t.Helper()
	k.Unmount(t)
	k.mount(t)
}
