package hostfs

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// deepTree makes depth directories in one another with a file in each.
func deepTree(t *testing.T, d int, name string, depth int) {
	t.Helper()
	check(t, Mkdir(d, name, 0o755))
	at, err := Open(d, name, unix.O_PATH|unix.O_DIRECTORY, 0)
	check(t, err)
	for range depth {
		write(t, at, "file", "")
		check(t, Mkdir(at, "d", 0o755))
		next, err := Open(at, "d", unix.O_PATH|unix.O_DIRECTORY, 0)
		check(t, err)
		Close(at)
		at = next
	}
	Close(at)
}

func TestRemoveDeepTree(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		deepTree(t, d, "top", 5000)
		// A limit that a descriptor for each level would break.
		var old unix.Rlimit
		check(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
		check(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(100, old.Max), Max: old.Max}))
		defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
		check(t, RemoveAll(d, "top"))
		check(t, RemoveAll(d, "top"))
		if left := list(t, d, ""); len(left) != 0 {
			t.Errorf("left: %q", left)
		}
	})
}

func TestRemoveWideTree(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		for i := range 50 {
			deepTree(t, d, fmt.Sprint("t", i), i%5)
		}
		for i := range 3000 {
			write(t, d, fmt.Sprint("f", i), "")
		}
		check(t, Symlink("..", d, "up"))
		check(t, RemoveChildren(d))
		if left := list(t, d, ""); len(left) != 0 {
			t.Errorf("left: %d", len(left))
		}
	})
}

func TestRemoveWithoutPermission(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		deepTree(t, d, "top", 3)
		for _, path := range []string{"top/d/d", "top/d", "top"} {
			check(t, Chmod(d, path, 0))
		}
		check(t, RemoveAll(d, "top"))
	})
}

func TestRemoveKeepsMounts(t *testing.T) {
	dir := t.TempDir()
	d := place(t, dir)
	check(t, Mkdir(d, "top", 0o755))
	check(t, Mkdir(d, "top/mnt", 0o755))
	if err := unix.Mount("none", dir+"/top/mnt", "tmpfs", 0, ""); err != nil {
		t.Skip("this user mounts nothing:", err)
	}
	defer RemoveAll(d, "top")
	defer unix.Unmount(dir+"/top/mnt", unix.MNT_DETACH)
	m := place(t, dir+"/top/mnt")
	write(t, m, "precious", "")
	want(t, RemoveAll(d, "top"), unix.EBUSY)
	if _, ok := list(t, m, "")["precious"]; !ok {
		t.Error("removed what is on another mount")
	}
}

func TestRemoveRefusesDots(t *testing.T) {
	d := place(t, t.TempDir())
	for _, name := range []string{"", ".", ".."} {
		want(t, RemoveAll(d, name), unix.EINVAL)
	}
}
