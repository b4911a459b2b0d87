package driver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
	"unionfs/whiteout"
)

// overlayDriver mounts the kernel's overlayfs, which nobody has to serve.
type overlayDriver struct{ uppers }

func (d *overlayDriver) Name() string { return "overlay" }

func (d *overlayDriver) Prepare(_ context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	return d.prepare(d.Name(), st, n)
}

// Probe mounts a small overlay over the store's own file system, in the store.
func (d *overlayDriver) Probe() Probe {
	p := Probe{Found: []string{idsFound(d.s)}}
	if d.s.IDs() == layertar.SingleID {
		p.Missing = "the store keeps owners in attributes, which the kernel doesn't read: use the driver union, or give this user a range of ids in /etc/subuid and /etc/subgid and make a new store"
		return p
	}
	if !mayMount() {
		p.Missing = "this process may not mount: run it as root, or inside unionfs unshare"
		return p
	}
	err := d.try()
	if err == nil {
		p.OK = true
		p.Found = append(p.Found, "the kernel mounts overlays here with "+strings.Join(overlayFeatures(), ", "))
		return p
	}
	p.Found = append(p.Found, "a mount was tried: "+err.Error())
	switch err {
	case unix.ENODEV:
		p.Missing = "the kernel has no overlayfs: load it with modprobe overlay"
	case unix.EPERM, unix.EACCES:
		p.Missing = "the kernel lets only root mount overlays: Linux 5.11 or newer allows it in user namespaces"
	case unix.EINVAL:
		p.Missing = fmt.Sprintf("the kernel refuses overlays over %s, which is on %s: use another --root", d.s.Root(), backing(d.s.Root()))
	default:
		p.Missing = fmt.Sprintf("an overlay over %s can't be mounted: %v", d.s.Root(), err)
	}
	return p
}

func (d *overlayDriver) try() error {
	st, err := d.s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	dir, err := st.TempDir()
	if err != nil {
		return err
	}
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	o := overlayMount{lowers: []string{dir + "/lower"}, upper: dir + "/upper", work: dir + "/work", options: overlayFeatures()}
	if err := o.mount(dir + "/merged"); err != nil {
		return err
	}
	// Lazily: the probe must not fail for somebody who looks in.
	return unix.Unmount(dir+"/merged", unix.MNT_DETACH)
}

// overlayFeatures are the options under which the kernel's overlays do what
// ours do, as far as it lets us: in a user namespace marks stand in user.
// attributes, and redirects and metacopies are refused (fs/overlayfs/params.c).
func overlayFeatures() []string {
	if inInitialUserNS() {
		return []string{"redirect_dir=on", "metacopy=on", "index=on", "xino=auto"}
	}
	return []string{"userxattr"}
}

func (d *overlayDriver) Mount(_ context.Context, n layerstore.Snapshot, target string, o MountOptions) (Mount, error) {
	use, err := takeUse(&n)
	if err != nil {
		return nil, err
	}
	defer use.release()
	if err := settleVolatile(&n, o.Volatile); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", n.Short(), err)
	}
	m := d.overlay(&n, o)
	if err := m.mount(target); err != nil {
		return nil, fmt.Errorf("snapshot %s: overlay on %s: %w", n.Short(), target, err)
	}
	return kernelMount{target}, nil
}

// Detach keeps the snapshot in use until the Mount is unmounted: a mount that
// is in another namespace is in no table that this process sees.
func (d *overlayDriver) Detach(_ context.Context, n layerstore.Snapshot, o MountOptions) (Mount, *os.File, error) {
	use, err := takeUse(&n)
	if err != nil {
		return nil, nil, err
	}
	var file *os.File
	if err = settleVolatile(&n, o.Volatile); err == nil {
		file, err = d.overlay(&n, o).detached()
	}
	if err != nil {
		use.release()
		return nil, nil, fmt.Errorf("snapshot %s: overlay: %w", n.Short(), err)
	}
	return detachedMount{sync.OnceFunc(use.release)}, file, nil
}

// overlay is the mount of a snapshot.
func (d *overlayDriver) overlay(n *layerstore.Snapshot, o MountOptions) *overlayMount {
	m := &overlayMount{source: "overlay-" + n.ID, lowers: d.s.LowerDirs(n.Layers), options: overlayFeatures(), general: o.Options}
	if o.ReadOnly {
		m.lowers = append([]string{n.Upper()}, m.lowers...)
		return m
	}
	m.upper, m.work = n.Upper(), n.Work()
	if o.Volatile {
		m.options = append(m.options, "volatile")
	}
	return m
}

// View mounts without an upper. The kernel wants two lowers then, so that a
// chain of one layer is bound in place.
func (d *overlayDriver) View(ctx context.Context, chain []layerstore.DiffID, target string, o MountOptions) (Mount, error) {
	if len(chain) == 0 {
		return nil, errNoLayers
	}
	var m Mount
	err := withRoot(ctx, d.s, chain, func(lowers []string) (err error) {
		m, err = viewOf(lowers, target, o)
		return err
	})
	return m, err
}

func viewOf(lowers []string, target string, o MountOptions) (Mount, error) {
	if len(lowers) == 1 {
		return bind(lowers[0], target, MountOptions{ReadOnly: true, Options: o.Options})
	}
	m := overlayMount{source: "overlay", lowers: lowers, options: overlayFeatures(), general: o.Options}
	if err := m.mount(target); err != nil {
		return nil, fmt.Errorf("overlay on %s: %w", target, err)
	}
	return kernelMount{target}, nil
}

func (d *overlayDriver) collect(ctx context.Context) error { return roots(d.s).collect(ctx) }

// overlayMarks is how overlayFeatures has the kernel write.
func overlayMarks() whiteout.Dialect {
	if inInitialUserNS() {
		return whiteout.KernelTrusted
	}
	return whiteout.KernelUser
}
