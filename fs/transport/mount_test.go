package transport

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// unserved is a mount whose descriptor a test holds.
type unserved struct {
	path string
	dev  *Device
}

func mountFlatUnserved(t *testing.T) unserved {
	t.Helper()
	fstest.NeedFUSE(t)
	u := unserved{path: t.TempDir()}
	d, err := Mount(u.path, MountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	u.dev = d
	t.Cleanup(func() {
		if isMounted(t, u.path) {
			_ = UnmountLazy(u.path) // a test that failed left it
		}
		d.Close()
	})
	return u
}

// TestMountInfo: what mount(8) shows is what was asked for.
func TestMountInfo(t *testing.T) {
	source := `/a,b\c d`
	m := mountWith(t, newFlat(), MountOptions{Source: source, Subtype: "sub", Options: []string{"ro", "noatime", "noexec", "max_read=65536", "unheard_of=1", "private", "blksize=512"}})
	info := mountInfo(t, m.path)
	// Octal escapes of mountinfo: a blank and a backslash.
	for _, want := range []string{" fuse.sub ", `/a,b\134c\040d `, ",noatime", ",noexec", "max_read=65536"} {
		if !strings.Contains(info, want) {
			t.Errorf("no %q in %s", want, info)
		}
	}
	if !strings.HasPrefix(strings.Fields(info)[5], "ro,") {
		t.Errorf("not read-only: %s", info)
	}
	if strings.Contains(info, "shared:") {
		t.Errorf("not private: %s", info)
	}
	if mayMount() && (strings.Contains(info, "nosuid") || !strings.Contains(info, "allow_other")) {
		t.Errorf("root's mount: %s", info)
	}
}

func TestMountDefaults(t *testing.T) {
	m := mountWith(t, newFlat(), MountOptions{})
	if info := mountInfo(t, m.path); !strings.Contains(info, " fuse.unionfs unionfs ") || !strings.Contains(info, "default_permissions") {
		t.Error(info)
	}
}

// TestRelativeTarget: container engines pass paths relative to the working
// directory, also through symlinks.
func TestRelativeTarget(t *testing.T) {
	fstest.NeedFUSE(t)
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "real"), 0o755), os.Symlink("real", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	d, err := Mount("link", MountOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := serve(d, filepath.Join(dir, "real"), newFlat(), false)
	t.Cleanup(func() { m.finish(t) })
	if err := statPath("real/plain"); err != nil {
		t.Error(err)
	}
}

func TestMountErrors(t *testing.T) {
	fstest.NeedFUSE(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]string{
		filepath.Join(dir, "none"):   "no such directory",
		file:                         "not a directory",
		filepath.Join(file, "below"): "can't mount here",
	} {
		if d, err := Mount(target, MountOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", target, err, want)
			if d != nil {
				d.Close()
			}
		}
	}
}

// TestDeadMount: a mount whose server has died says what to do.
func TestDeadMount(t *testing.T) {
	u := mountFlatUnserved(t)
	u.dev.Close()
	if _, err := Mount(u.path, MountOptions{}); err == nil || !strings.Contains(err.Error(), "unmount it first") {
		t.Errorf("mounting on a dead mount: %v", err)
	}
	if err := Unmount(u.path); err != nil {
		t.Error(err)
	}
	if err := Unmount(u.path); err == nil {
		t.Error("unmounted twice")
	}
}

func TestParse(t *testing.T) {
	p := MountOptions{Options: []string{"ro", "rw", "nosuid", "nodev", "dev", "context=system_u:object_r:x:s0", "allow_root", "lowerdir=/x", ""}}.parse()
	if p.flags != unix.MS_NOSUID || !p.allowOther || labelled() != (len(p.data) == 1) {
		t.Errorf("%+v", p)
	}
}

func TestQuoteLabel(t *testing.T) {
	for _, label := range []string{`s0:c1,c2`, `"s0:c1,c2"`} {
		if got := quoteLabel(label); got != `"s0:c1,c2"` {
			t.Errorf("%s becomes %s", label, got)
		}
	}
}

func TestHelperString(t *testing.T) {
	got := MountOptions{Source: `a,b\c`, Options: []string{"ro", "suid", "dev", "relatime", "private", "max_read=4096"}}.helperString()
	if want := `fsname=a\,b\\c,subtype=unionfs,default_permissions,ro,max_read=4096`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
