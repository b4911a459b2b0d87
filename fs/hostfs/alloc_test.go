package hostfs

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestNoAllocations(t *testing.T) {
	d := place(t, t.TempDir())
	write(t, d, "f", "")
	p := open(t, d, "f", unix.O_PATH)
	_ = Setxattr(d, "f", "user.x", []byte("1"), 0)
	var st unix.Statx_t
	var fs unix.Statfs_t
	var when unix.Timespec
	buf := make([]byte, 4096)
	calls := map[string]func(){
		"Statx":             func() { Statx(d, "f", &st) },
		"Statx absent":      func() { Statx(d, "none", &st) },
		"Statx descriptor":  func() { Statx(p, "", &st) },
		"Statfs":            func() { Statfs(d, &fs) },
		"Open":              func() { fd, _ := Open(d, "f", unix.O_RDONLY, 0); Close(fd) },
		"Open absent":       func() { Open(d, "none", unix.O_RDONLY, 0) },
		"Open long":         func() { Open(d, longest, unix.O_RDONLY, 0) },
		"OpenDir":           func() { fd, _ := OpenDir(d, "."); Close(fd) },
		"Reopen":            func() { fd, _ := Reopen(p, unix.O_RDONLY); Close(fd) },
		"Unlink":            func() { Unlink(d, "none") },
		"Rename":            func() { Rename(d, "none", d, "f", 0) },
		"Link":              func() { Link(d, "f", d, "f") },
		"Chmod":             func() { Chmod(d, "f", 0o644) },
		"Chown":             func() { Chown(d, "f", ^uint32(0), ^uint32(0)) },
		"Utimes":            func() { Utimes(d, "f", when, when) },
		"Getxattr":          func() { Getxattr(d, "f", "user.x", buf) },
		"Getxattr absent":   func() { Getxattr(d, "f", "user.none", buf) },
		"Getxattr O_PATH":   func() { Getxattr(p, "", "user.x", buf) },
		"Listxattr":         func() { Listxattr(d, "f", buf) },
		"Setxattr":          func() { Setxattr(d, "f", "user.x", buf[:1], 0) },
		"Getxattr to stack": func() { var b [64]byte; Getxattr(d, "f", "user.x", b[:]) },
	}
	for name, call := range calls {
		call()
		if n := testing.AllocsPerRun(100, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkGetxattr(b *testing.B) {
	fd, err := openat(unix.AT_FDCWD, b.TempDir(), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		b.Fatal(err)
	}
	defer Close(fd)
	buf := make([]byte, 64)
	b.Run("by dot", func(b *testing.B) {
		for b.Loop() {
			Getxattr(fd, ".", "user.none", buf)
		}
	})
	b.Run("by O_PATH descriptor", func(b *testing.B) {
		for b.Loop() {
			Getxattr(fd, "", "user.none", buf)
		}
	})
}
