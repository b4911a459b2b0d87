package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// directoryName is the driver of snapshots that are a directory of this machine
// itself (Snapshot.Base): what is written goes there, and stays when the
// snapshot is removed. No other snapshot can be made with it, so that it isn't
// among the drivers that are picked by name.
const directoryName = "directory"

type directoryDriver struct{ s *layerstore.Store }

// Directory answers the driver of snapshots that are a directory itself.
func Directory(s *layerstore.Store) Driver { return &directoryDriver{s} }

func (d *directoryDriver) Name() string { return directoryName }

func (d *directoryDriver) Probe() Probe {
	return Probe{OK: true, Found: []string{"a directory needs nothing"}}
}

func (d *directoryDriver) Prepare(_ context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	if n.Base == "" || len(n.Layers) > 0 {
		return n, errors.New("a directory that is used as it is has no layers")
	}
	if err := checkBase(n.Base); err != nil {
		return n, err
	}
	n.Driver = directoryName
	return st.NewSnapshot(n, func(*layerstore.Snapshot) error { return nil })
}

// checkBase says what is wrong with a directory before anything is made of it.
func checkBase(dir string) error {
	fi, err := os.Stat(dir)
	if err == nil && !fi.IsDir() {
		err = &os.PathError{Op: "open", Path: dir, Err: unix.ENOTDIR}
	}
	return err
}

func (d *directoryDriver) Mount(_ context.Context, n layerstore.Snapshot, target string, o MountOptions) (Mount, error) {
	file, err := d.clone(&n, o)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := unix.MoveMount(int(file.Fd()), "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return nil, fmt.Errorf("bind of %s on %s: %w", n.Base, target, err)
	}
	return kernelMount{target}, nil
}

func (d *directoryDriver) Detach(_ context.Context, n layerstore.Snapshot, o MountOptions) (Mount, *os.File, error) {
	file, err := d.clone(&n, o)
	if err != nil {
		return nil, nil, err
	}
	return detachedMount{func() {}}, file, nil
}

// clone makes a mount of the directory and of all that is mounted below it: in a
// user namespace they can't be had apart (mount_namespaces(7)).
func (d *directoryDriver) clone(n *layerstore.Snapshot, o MountOptions) (*os.File, error) {
	attrs, err := mountAttrs(o.Options)
	if err != nil {
		return nil, err
	}
	if o.ReadOnly {
		attrs |= unix.MOUNT_ATTR_RDONLY
	}
	if !mayMount() {
		return nil, fmt.Errorf("%s can't be mounted: this process may not; run it as root, or inside unionfs unshare", n.Base)
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, n.Base, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return nil, fmt.Errorf("bind of %s: %w", n.Base, err)
	}
	attr := unix.MountAttr{Attr_set: uint64(attrs), Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind of %s: %w", n.Base, err)
	}
	return os.NewFile(uintptr(fd), n.Base), nil
}

func (d *directoryDriver) View(context.Context, []layerstore.DiffID, string, MountOptions) (Mount, error) {
	return nil, errors.New("layers aren't a directory of this machine")
}

func (d *directoryDriver) Diff(_ context.Context, n layerstore.Snapshot, _ io.Writer) error {
	return unknownChanges(&n)
}

func (d *directoryDriver) Changes(_ context.Context, n layerstore.Snapshot) ([]layertar.Change, error) {
	return nil, unknownChanges(&n)
}

func unknownChanges(n *layerstore.Snapshot) error {
	return fmt.Errorf("what %s writes goes to %s itself, and nobody knows what was there before: a union over it (--rootfs %s:O) keeps changes apart", n.Short(), n.Base, n.Base)
}

func (d *directoryDriver) Export(ctx context.Context, n layerstore.Snapshot, w io.Writer) error {
	fd, err := hostfs.OpenLayer(n.Base)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	return layertar.PackTree(ctx, w, fd, layertar.Plain)
}

// Usage is nothing: the directory isn't the store's.
func (d *directoryDriver) Usage(layerstore.Snapshot) (int64, error) { return 0, nil }

func (d *directoryDriver) Remove(_ context.Context, n layerstore.Snapshot) error {
	return d.s.RemoveSnapshot(n.ID)
}
