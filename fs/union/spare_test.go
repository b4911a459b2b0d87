package union

import (
	"testing"

	"golang.org/x/sys/unix"
)

// An open that finds no descriptor gets one from the caches, or from a request
// that ends meanwhile; one that never gets any says so.
func TestSpare(t *testing.T) {
	u := &Union{dirs: newFDCache(8), files: newFDCache(8)}
	var slots [6]slot
	for i := range slots {
		fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		u.dirs.put(&slots[i], fd, false).release()
	}
	tries := 0
	fd, err := u.spare(func() (int, error) {
		if tries++; tries < 4 {
			return -1, unix.EMFILE
		}
		return 7, nil
	})
	if fd != 7 || err != nil || tries != 4 {
		t.Errorf("got %d, %v after %d tries", fd, err, tries)
	}
	if left := len(u.dirs.ring); left > 1 {
		t.Errorf("the cache keeps %d of its descriptors", left)
	}
	u.dirs.close()
	if _, err := u.spare(func() (int, error) { return -1, unix.ENOENT }); err != unix.ENOENT {
		t.Errorf("got %v, want ENOENT", err)
	}
	if _, err := u.spare(func() (int, error) { return -1, unix.ENFILE }); err != unix.ENFILE {
		t.Errorf("got %v, want ENFILE", err)
	}
}
