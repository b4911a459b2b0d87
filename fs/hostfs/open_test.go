package hostfs

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpenDir(t *testing.T) {
	for _, kernel := range []string{"openat2", "before"} {
		t.Run(kernel, func(t *testing.T) {
			if kernel == "before" {
				without(t, &hasOpenat2)
			}
			d := place(t, t.TempDir())
			check(t, Mkdir(d, "a", 0o755))
			check(t, Mkdir(d, "a/b", 0o755))
			check(t, Symlink("a", d, "l"))
			write(t, d, "f", "")
			b := stat(t, d, "a/b")
			for path, expected := range map[string]error{
				"a/b": nil, "a//b": nil, "a/./b": nil, "a/b/": nil,
				"a/x": unix.ENOENT, "f": unix.ENOTDIR, "f/x": unix.ENOTDIR, "l": unix.ENOTDIR, "l/b": unix.ELOOP,
				"..": unix.EXDEV, "a/../a": unix.EXDEV, "/a": unix.EXDEV, "a/b/..": unix.EXDEV,
			} {
				fd, err := OpenDir(d, path)
				if err != expected {
					t.Errorf("%q: %v, want %v", path, err, expected)
				}
				if err != nil {
					continue
				}
				if stat(t, fd, "").Ino != b.Ino {
					t.Errorf("%q is another directory", path)
				}
				Close(fd)
			}
			fd, err := OpenDir(d, "")
			check(t, err)
			defer Close(fd)
			if stat(t, fd, "").Ino != stat(t, d, "").Ino {
				t.Error("the empty path is another directory")
			}
		})
	}
}

func TestPathsBeyondPathMax(t *testing.T) {
	d := place(t, t.TempDir())
	name := strings.Repeat("n", 200)
	at, path := d, ""
	for range 60 { // 12 KB
		check(t, Mkdir(at, name, 0o755))
		at = open(t, at, name, unix.O_PATH|unix.O_DIRECTORY)
		path += name + "/"
	}
	write(t, at, "end", "")
	for _, kernel := range []string{"openat2", "before"} {
		if kernel == "before" {
			without(t, &hasOpenat2)
		}
		fd, err := OpenDir(d, path)
		check(t, err)
		if stat(t, fd, "").Ino != stat(t, at, "").Ino {
			t.Error("another directory")
		}
		Close(fd)
		if _, ok := list(t, d, strings.TrimSuffix(path, "/"))["end"]; !ok {
			t.Error("its entry isn't listed")
		}
		_, err = OpenDir(d, path+"none")
		want(t, err, unix.ENOENT)
		_, err = OpenDir(d, strings.Repeat("x", 5000))
		want(t, err, unix.ENAMETOOLONG)
	}
	check(t, RemoveAll(d, name))
}

func TestReopen(t *testing.T) {
	d := place(t, t.TempDir())
	write(t, d, "f", "data")
	p := open(t, d, "f", unix.O_PATH)
	if got := read(t, p, ""); got != "data" {
		t.Errorf("%q", got)
	}
	check(t, Unlink(d, "f"))
	fd, err := Reopen(p, unix.O_RDWR)
	check(t, err)
	Close(fd)
	check(t, Symlink("x", d, "l"))
	_, err = Reopen(open(t, d, "l", unix.O_PATH), unix.O_RDONLY)
	want(t, err, unix.ELOOP)
	_, err = Reopen(1<<20, unix.O_RDONLY)
	want(t, err, unix.EBADF)
}

func TestOpenLayer(t *testing.T) {
	dir := t.TempDir()
	check(t, os.Mkdir(dir+"/real", 0o755))
	check(t, os.Symlink("real", dir+"/link"))
	check(t, os.WriteFile(dir+"/file", nil, 0o644))
	fd, err := OpenLayer(dir + "/link")
	check(t, err)
	defer Close(fd)
	if stat(t, fd, "").Ino != stat(t, place(t, dir+"/real"), "").Ino {
		t.Error("another directory")
	}
	for name, expected := range map[string]error{"/file": unix.ENOTDIR, "/none": unix.ENOENT} {
		_, err := OpenLayer(dir + name)
		want(t, err, expected)
	}
	tree, err := OpenTreeClone(dir)
	if err == unix.EPERM {
		t.Skip("this user clones no mounts")
	}
	check(t, err)
	Close(tree)
}

func TestLockFile(t *testing.T) {
	d := place(t, t.TempDir())
	fd, _, err := LockFile(d, "lock")
	check(t, err)
	_, holder, err := LockFile(d, "lock")
	want(t, err, unix.EWOULDBLOCK)
	if holder != os.Getpid() {
		t.Errorf("holder %d", holder)
	}
	Close(fd)
	fd, _, err = LockFile(d, "lock")
	check(t, err)
	Close(fd)
	check(t, Symlink("lock", d, "link"))
	_, _, err = LockFile(d, "link")
	want(t, err, unix.ELOOP)
}
