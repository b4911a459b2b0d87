package driver

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/layerstore"
)

// useFile stands in a snapshot's folder and is locked by who serves a mount of
// it.
const useFile = "mounted"

// use is the right to mount or remove a snapshot, for one process at a time.
type use struct{ fd int }

// patience is how long a server that has lost its mount may take to go.
const patience = 5 * time.Second

// takeUse answers an error that says who has the snapshot mounted.
func takeUse(n *layerstore.Snapshot) (use, error) {
	if at := mountedAt(n); at.there() {
		return use{}, fmt.Errorf("snapshot %s is mounted on %s: unmount it first", n.ID, at)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		u, holder, err := tryUse(n)
		switch {
		case err == nil:
			return u, nil
		case err != unix.EWOULDBLOCK:
			return use{}, fmt.Errorf("snapshot %s: %w", n.ID, err)
		case time.Now().After(deadline):
			return use{}, fmt.Errorf("snapshot %s is mounted by process %d: unmount it first", n.ID, holder)
		}
	}
}

// Mounted tells whether a snapshot is mounted somewhere.
func Mounted(n layerstore.Snapshot) bool {
	if mountedAt(&n).there() {
		return true
	}
	u, _, err := tryUse(&n)
	if err == nil {
		u.release()
	}
	return err == unix.EWOULDBLOCK
}

// tryUse answers EWOULDBLOCK, and by whom, for a snapshot that is in use.
func tryUse(n *layerstore.Snapshot) (use, int, error) {
	dir, err := hostfs.OpenLayer(n.Dir())
	if err != nil {
		return use{}, 0, err
	}
	defer hostfs.Close(dir)
	fd, holder, err := hostfs.LockFile(dir, useFile)
	return use{fd}, holder, err
}

func (u use) release() { hostfs.Close(u.fd) }
