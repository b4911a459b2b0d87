package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestResolve compares openat2 with our own walk: both give the same file, or
// the same error, and none outside of the root.
func TestResolve(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "root")
	for _, dir := range []string{"a/b/c", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "etc/file"), "", 0o644)
	write(t, filepath.Join(top, "secret"), "", 0o644)
	for name, target := range map[string]string{
		"up": "../..", "abs": "/etc", "a/b/abs": "/etc/file", "loop": "loop", "ping": "pong", "pong": "ping",
		"out": "../secret", "dangling": "/nowhere", "chain": "a/b/abs", "dots": "./a/./b/../b/c/", "host": top,
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	for _, name := range []string{
		"/", "", ".", "..", "/../../..", "a", "/a/b/c", "a/../../../etc/file", "up", "up/etc", "up/up/a", "abs", "abs/file",
		"a/b/abs", "loop", "ping", "out", "dangling", "chain", "dots", "host", "etc/file/x", "etc/file/..", "nothing", "nothing/x",
		"host/secret", "dots/../..", strings.Repeat("a/../", 100) + "etc",
	} {
		one, oneErr := identity(resolve(dir, name))
		two, twoErr := identity(walk(dir, name, nil))
		if one != two || !errors.Is(oneErr, errnoOf(twoErr)) && oneErr != twoErr {
			t.Errorf("%q: openat2 %v %v, walk %v %v", name, one, oneErr, two, twoErr)
		}
	}
}

func errnoOf(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func identity(fd int, err error) ([2]uint64, error) {
	if err != nil {
		return [2]uint64{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return [2]uint64{st.Dev, st.Ino}, err
}

// TestResolveMagicLinks: descriptors in /proc are no paths.
func TestResolveMagicLinks(t *testing.T) {
	dir, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	for _, name := range []string{"/proc/self/exe", "/proc/self/root", "/proc/self/cwd/x", "/proc/self/ns/net", "/proc/self/fd/0"} {
		for how, do := range map[string]func() (int, error){
			"openat2": func() (int, error) { return resolve(dir, name) },
			"walk":    func() (int, error) { return walk(dir, name, makeDir) },
		} {
			if fd, err := do(); !errors.Is(err, unix.ELOOP) {
				t.Errorf("%s %s: %d, %v", how, name, fd, err)
			}
		}
	}
	if fd, err := walk(dir, "/proc/self/status", nil); err != nil {
		t.Error(err)
	} else {
		unix.Close(fd)
	}
}

// TestResolveNew makes what is missing where the links of the root lead.
func TestResolveNew(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../far/away", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	for name, c := range map[string]struct {
		make func(int, string) error
		want string
	}{
		"/x/y/z": {makeDir, "x/y/z"}, "link/file": {makeFile, "far/away/file"}, "/x/../new/./file": {makeFile, "new/file"},
	} {
		fd, err := resolveNew(dir, name, c.make)
		got, err := identity(fd, err)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := identity(unix.Open(filepath.Join(root, c.want), unix.O_PATH, 0))
		if err != nil || got != want {
			t.Errorf("%s isn't %s: %v", name, c.want, err)
		}
	}
	if entries, err := os.ReadDir(top); err != nil || len(entries) != 1 {
		t.Errorf("made outside: %v, %v", entries, err)
	}
}
