package transport

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// mounted is a mount that a test serves.
type mounted struct {
	path   string
	server *Server
	logs   chan string
	done   chan error // Serve's answer, for whoever takes it
	ended  chan struct{}
}

// Everything that mounts takes its needs from here: /dev/fuse, and either
// CAP_SYS_ADMIN over the mount namespace or fusermount3. On machines where
// /dev/fuse is root's alone, .ci/as-user puts another node in its place.
func mountFlat(t testing.TB, fs FileSystem) *mounted {
	t.Helper()
	return mountWith(t, fs, MountOptions{Source: "flat", Subtype: "flat"})
}

func mountWith(t testing.TB, fs FileSystem, o MountOptions) *mounted {
	t.Helper()
	return mountOver(t, fs, o, os.Getenv(overUring) != "")
}

// mountFlatOver is mountFlat with requests over io_uring, or without.
func mountFlatOver(t testing.TB, fs FileSystem, uring bool) *mounted {
	t.Helper()
	return mountOver(t, fs, MountOptions{Source: "flat", Subtype: "flat"}, uring)
}

func mountOver(t testing.TB, fs FileSystem, o MountOptions, uring bool) *mounted {
	t.Helper()
	fstest.NeedFUSE(t)
	path := t.TempDir()
	d, err := Mount(path, o)
	if err != nil {
		t.Fatal(err)
	}
	m := serve(d, path, fs, uring)
	t.Cleanup(func() { m.finish(t) })
	select {
	case <-m.server.Ready():
	case <-m.ended:
		t.Fatalf("Serve ended before INIT: %v", <-m.done)
	case <-time.After(patience):
		t.Fatal("no INIT")
	}
	if got := m.server.Negotiated()&fuse.CAP_OVER_IO_URING != 0; got != uring {
		t.Fatalf("requests come over io_uring: %v, want %v", got, uring)
	}
	return m
}

func serve(d *Device, path string, fs FileSystem, uring bool) *mounted {
	m := &mounted{path: path, logs: make(chan string, 100), done: make(chan error, 1), ended: make(chan struct{})}
	m.server = NewServer(d, fs, Options{
		Want: fuse.CAP_BIG_WRITES | fuse.CAP_MAX_PAGES | fuse.CAP_READDIRPLUS | fuse.CAP_NO_OPEN_SUPPORT |
			fuse.CAP_NO_OPENDIR_SUPPORT | fuse.CAP_PARALLEL_DIROPS | fuse.CAP_ASYNC_READ,
		Uring: uring,
		Log: func(line string) {
			select {
			case m.logs <- line:
			default:
			}
		},
	})
	go func() {
		err := m.server.Serve()
		d.Close()
		m.done <- err
		close(m.ended)
	}()
	return m
}

// finish unmounts what is still mounted.
func (m *mounted) finish(t testing.TB) {
	if isMounted(t, m.path) {
		if err := UnmountLazy(m.path); err != nil {
			t.Error(err)
		}
	}
	select {
	case <-m.ended:
	case <-time.After(patience):
		t.Error("Serve didn't end")
	}
}

// mountInfo is the line of the mount on path, or nothing.
func mountInfo(t testing.TB, path string) string {
	t.Helper()
	all, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for line := range strings.Lines(string(all)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == path {
			last = strings.TrimSpace(line)
		}
	}
	return last
}

func isMounted(t testing.TB, path string) bool { return mountInfo(t, path) != "" }

// The tests use their own mounts by bare system calls: the os package would
// register files with epoll, which asks the file system (POLL) with a
// processor held that the server may need.

func statPath(path string) error {
	var st unix.Stat_t
	return unix.Stat(path, &st)
}

func readPath(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	buf := make([]byte, 1<<16)
	n, err := unix.Read(fd, buf)
	return string(buf[:max(0, n)]), err
}

// patience is how long anything may take on a busy machine. A mount namespace that
// somebody makes meanwhile has a copy of our mount, whose server then goes on for as
// long as that is there: the tests of other packages make such.
const patience = 3 * time.Minute

func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
