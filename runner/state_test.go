package runner

import (
	"context"
	"testing"
	"time"

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

// TestLockOfEnded: a monitor that has written how it ended is about to let go.
func TestLockOfEnded(t *testing.T) {
	n := layerstore.SnapshotAt(t.TempDir())
	lock, err := lockMonitor(&n)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeState(&n, State{Status: Running}); err != nil {
		t.Fatal(err)
	}
	if _, err := lockStill(t.Context(), &n); err != errMonitored {
		t.Errorf("of one that runs: %v", err)
	}
	if err := writeState(&n, State{Status: Exited}); err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		lock.release()
	}()
	again, err := lockStill(t.Context(), &n)
	if err != nil {
		t.Fatalf("of one that has ended: %v", err)
	}
	defer again.release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lockStill(ctx, &n); err != context.Canceled {
		t.Errorf("when nobody wants it any more: %v", err)
	}
}
