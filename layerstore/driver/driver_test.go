package driver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/layerstore"
)

func TestMain(m *testing.M) {
	unix.Umask(0o022)
	if order := os.Getenv(serveVariable); order != "" {
		if err := serveOrder(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// lacking ends a test that needs what isn't here; in CI that is a failure.
func lacking(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("needed in CI: "+format, args...)
	}
	t.Skipf("needs "+format, args...)
}

func storeIn(t *testing.T, dir string) *layerstore.Store {
	t.Helper()
	s, err := layerstore.Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	s.Warn = func(line string) { t.Log("warning:", line) }
	return s
}

// needProbe asks for a place where the driver can work.
func needProbe(t *testing.T, d Driver) {
	t.Helper()
	if p := d.Probe(); !p.OK {
		lacking(t, "%s: %s", d.Name(), p.Missing)
	}
}

func TestUnion(t *testing.T) {
	fstest.NeedFUSE(t)
	contract(t, func(t *testing.T) Driver {
		d, err := byName("union", storeIn(t, t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		needProbe(t, d)
		return d
	})
}

func TestOverlay(t *testing.T) {
	if !mayMount() {
		wantRefusal(t, "overlay", "may not mount|owners in attributes")
		return
	}
	fstest.NeedKernelOverlay(t)
	contract(t, func(t *testing.T) Driver {
		s := storeIn(t, t.TempDir())
		d, err := byName("overlay", s)
		if err != nil {
			t.Fatal(err)
		}
		if d.(*overlayDriver).s.IDs() != 0 {
			wantRefusal(t, "overlay", "owners in attributes")
			t.SkipNow() // what a store of one id gets is that refusal
		}
		needProbe(t, d)
		return d
	})
}

func TestVFS(t *testing.T) {
	if !mayMount() || storeIn(t, t.TempDir()).IDs() != 0 {
		wantRefusal(t, "vfs", "may not mount|owners in attributes")
		return
	}
	contract(t, func(t *testing.T) Driver {
		d := newVFS(storeIn(t, t.TempDir()))
		needProbe(t, d)
		return d
	})
}

// wantRefusal is what those get for whom a driver can't work.
func wantRefusal(t *testing.T, name, words string) {
	t.Helper()
	d, _, err := Pick(name, storeIn(t, t.TempDir()))
	if err == nil {
		t.Fatalf("%s works here: %v", name, d)
	}
	for word := range strings.SplitSeq(words, "|") {
		if strings.Contains(err.Error(), word) {
			return
		}
	}
	t.Errorf("got %v, want a word of %q", err, words)
}

func TestBtrfs(t *testing.T) {
	fstest.NeedRoot(t)
	if !apart(t) {
		return
	}
	contract(t, on(btrfs(t), newBtrfs))
}

func TestZFS(t *testing.T) {
	fstest.NeedRoot(t)
	if !apart(t) {
		return
	}
	contract(t, on(zfs(t), newZFS))
}

// on makes drivers of stores in a directory.
func on(where string, driver func(*layerstore.Store) Driver) func(t *testing.T) Driver {
	return func(t *testing.T) Driver {
		dir, err := os.MkdirTemp(where, "store")
		if err != nil {
			t.Fatal(err)
		}
		d := driver(storeIn(t, dir))
		needProbe(t, d)
		return d
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		if _, missing := exec.LookPath(name); missing != nil {
			lacking(t, "%s: %v", name, missing)
		}
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func TestRefusals(t *testing.T) {
	s := storeIn(t, t.TempDir())
	if backing(s.Root()) != "btrfs" {
		wantRefusal(t, "btrfs", "put the store on btrfs")
	}
	wantRefusal(t, "zfs", "zfs|one id|may not mount|owners in attributes")
	wantRefusal(t, "floppy", "no storage driver")
	fuseDevice = filepath.Join(t.TempDir(), "fuse")
	defer func() { fuseDevice = "/dev/fuse" }()
	wantRefusal(t, "union", "isn't there: load the kernel's module")
	_, c, err := Pick("auto", s)
	switch {
	case err != nil && mayMount() && s.IDs() == 0:
		t.Errorf("auto finds nothing: %v", err)
	case err == nil && (c.Name == "union" || len(c.Probed) < 2 || !strings.Contains(c.Why, "union can't work here")):
		t.Errorf("auto picks %+v without FUSE", c)
	}
}

// A user namespace with many ids is what unionfs unshare gives: owners are real
// there, and mounts are allowed.
func TestInUserNamespace(t *testing.T) {
	fstest.NeedRoot(t)
	if !apart(t) {
		return
	}
	where, dir := reachable(t, "btrfs", btrfs(t)), reachable(t, "plain", t.TempDir())
	openFUSE(t)
	for _, c := range []struct{ test, place string }{
		{"TestUnion|TestOverlay|TestVFS|TestApply|TestApplyOnTop", dir}, {"TestBtrfsOfUsers", where},
	} {
		cmd := exec.Command("/proc/self/exe", againArgs(c.test)...)
		cmd.Dir = c.place
		inUserNamespace(t, cmd)
	}
}

// TestBtrfsOfUsers is the part of TestInUserNamespace that finds itself on btrfs
// there, mounted without user_subvol_rm_allowed.
func TestBtrfsOfUsers(t *testing.T) {
	if os.Getenv(apartEnv) != "TestInUserNamespace" {
		return
	}
	where := os.Getenv("TMPDIR")
	contract(t, on(where, newBtrfs))
}
