package runner

import (
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
)

// TestMonitorLockEnds: a thread that ends a moment later, with descriptors of its
// own, doesn't keep the lock.
func TestMonitorLockEnds(t *testing.T) {
	n := layerstore.SnapshotAt(t.TempDir())
	lock, err := lockMonitor(&n)
	if err != nil {
		t.Fatal(err)
	}
	other, err := unix.FcntlInt(lock.f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if !monitored(&n) {
		t.Error("it isn't locked")
	}
	lock.release()
	if monitored(&n) {
		t.Error("a copy of the descriptor keeps the lock")
	}
}
