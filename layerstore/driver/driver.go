package driver

import (
	"context"
	"fmt"
	"io"
	"os"

	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// Driver keeps and mounts snapshots. Its methods may be called from any number
// of goroutines and processes.
type Driver interface {
	Name() string
	// Probe tells whether the driver can work on this store, here and now.
	Probe() Probe
	// Prepare makes a writable snapshot of what n says (Name, Layers, Image,
	// Labels) and publishes it. The stage must hold the layers.
	Prepare(ctx context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error)
	// Mount shows a snapshot at the directory target.
	Mount(ctx context.Context, n layerstore.Snapshot, target string, o MountOptions) (Mount, error)
	// Detach mounts a snapshot in no tree (fsmount(2), open_tree(2)): whoever
	// has the file may put the mount in a place. It takes CAP_SYS_ADMIN. The
	// mount is in use until the Mount is unmounted or its server ended.
	Detach(ctx context.Context, n layerstore.Snapshot, o MountOptions) (Mount, *os.File, error)
	// View shows what a chain makes at the directory target, read-only.
	View(ctx context.Context, chain []layerstore.DiffID, target string, o MountOptions) (Mount, error)
	// Diff writes the snapshot's changes as a layer archive.
	Diff(ctx context.Context, n layerstore.Snapshot, w io.Writer) error
	// Changes lists them.
	Changes(ctx context.Context, n layerstore.Snapshot) ([]layertar.Change, error)
	// Export writes all that the snapshot shows as a plain archive.
	Export(ctx context.Context, n layerstore.Snapshot, w io.Writer) error
	// Usage answers how many bytes the snapshot takes beyond its layers.
	Usage(n layerstore.Snapshot) (int64, error)
	// Remove takes a snapshot away that isn't mounted.
	Remove(ctx context.Context, n layerstore.Snapshot) error
}

// MountOptions say how a mount is made.
type MountOptions struct {
	ReadOnly bool
	// Volatile gives up safety from crashes of the machine for speed.
	Volatile bool
	// Quota, when above zero, is how many bytes the snapshot's changes may take:
	// of the union driver.
	Quota int64
	// UIDs and GIDs say as whom the mount shows the owners that files have: of
	// the union driver.
	UIDs, GIDs []IDRange
	// Options are general mount options: nosuid, nodev, allow_other …
	Options []string
	// Log gets a line for each incident of a served mount; may be nil.
	Log func(line string)
}

// IDRange shows Count owners from Disk on under the numbers from Shown on.
type IDRange struct{ Disk, Shown, Count uint32 }

// Mount is something mounted.
type Mount interface {
	// Serves tells whether this process serves the mount, so that the mount
	// dies with it.
	Serves() bool
	// Wait returns when the mount is gone; at once when nobody serves it.
	Wait() error
	// Unmount takes it away; it stays, with an error, when it is in use.
	Unmount() error
}

// Probe is what a driver found out about this place.
type Probe struct {
	OK bool
	// Found is one line for each thing that was looked at.
	Found []string
	// Missing says in a sentence what keeps the driver from working, and what
	// to do about it.
	Missing string
}

// Err is the error of a driver that can't work here.
func (p Probe) Err(name string) error {
	if p.OK {
		return nil
	}
	return fmt.Errorf("the storage driver %s can't work here: %s", name, p.Missing)
}
