package fstest

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

const uringSwitch = "/sys/module/fuse/parameters/enable_uring"

// NeedUring asks for a kernel that brings requests over io_uring, and for the root
// that may allow it. New mounts of the whole machine have it until the test ends;
// those tests come one after the other.
func NeedUring(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile(uringSwitch, os.O_RDWR, 0)
	if err != nil {
		lacking(t, "FUSE over io_uring (Linux 6.14), and the root that may switch it on: %v", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	old := make([]byte, 1)
	if _, err := f.ReadAt(old, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("Y"), 0); err != nil {
		lacking(t, "FUSE over io_uring: %v", err)
	}
	t.Cleanup(func() { _, _ = f.WriteAt(old, 0) }) // it was written before
}
