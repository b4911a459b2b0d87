package hostfs

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// longest is a name of NAME_MAX bytes that isn't UTF-8.
var longest = strings.Repeat("\xff\xfe", 127) + "z"

// everywhere runs a test in a directory of the test's own file system and in
// one on a tmpfs, where there is one to write to.
func everywhere(t *testing.T, test func(t *testing.T, dirfd int)) {
	t.Run("temp", func(t *testing.T) { test(t, place(t, t.TempDir())) })
	t.Run("tmpfs", func(t *testing.T) {
		dir, err := os.MkdirTemp("/dev/shm", "hostfs")
		if err != nil {
			t.Skip("no writable tmpfs:", err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		test(t, place(t, dir))
	})
}

func place(t *testing.T, path string) int {
	t.Helper()
	fd, err := openat(unix.AT_FDCWD, path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	check(t, err)
	t.Cleanup(func() { Close(fd) })
	return fd
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, got, want error) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// write makes a regular file.
func write(t *testing.T, dirfd int, name, data string) {
	t.Helper()
	fd, err := Open(dirfd, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o644)
	check(t, err)
	defer Close(fd)
	_, err = Pwrite(fd, []byte(data), 0)
	check(t, err)
}

func read(t *testing.T, dirfd int, name string) string {
	t.Helper()
	fd, err := Open(dirfd, name, unix.O_RDONLY, 0)
	check(t, err)
	defer Close(fd)
	buf := make([]byte, 1<<16)
	n, err := Pread(fd, buf, 0)
	check(t, err)
	return string(buf[:n])
}

// open gives a descriptor that is closed at the test's end.
func open(t *testing.T, dirfd int, name string, flags int) int {
	t.Helper()
	fd, err := Open(dirfd, name, flags, 0o644)
	check(t, err)
	t.Cleanup(func() { Close(fd) })
	return fd
}

func stat(t *testing.T, dirfd int, name string) unix.Statx_t {
	t.Helper()
	var st unix.Statx_t
	check(t, Statx(dirfd, name, &st))
	return st
}

func list(t *testing.T, dirfd int, path string) map[string]uint8 {
	t.Helper()
	names := map[string]uint8{}
	check(t, ListDir(dirfd, path, func(name []byte, _ uint64, dtype uint8) error {
		names[string(name)] = dtype
		return nil
	}))
	return names
}

// without makes a feature look absent for one test.
func without(t *testing.T, features ...*feature) {
	for _, f := range features {
		old := f.state.Swap(featureMissing)
		t.Cleanup(func() { f.state.Store(old) })
	}
}
