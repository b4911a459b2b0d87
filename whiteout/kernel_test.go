package whiteout

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// overlayMount mounts the kernel's overlayfs on layers below dir.
func overlayMount(t *testing.T, dir string, ns Namespace, options string) string {
	t.Helper()
	target := filepath.Join(dir, "merged")
	check(t, os.MkdirAll(target, 0o755))
	options = strings.ReplaceAll(options, "=@", "="+dir+"/")
	options = strings.ReplaceAll(options, ":@", ":"+dir+"/")
	if ns == User {
		options += ",userxattr"
	}
	if err := unix.Mount("overlay", target, "overlay", 0, options); err != nil {
		unmet(t, "this test needs the kernel's overlayfs", err)
	}
	t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
	return target
}

func makeFiles(t *testing.T, dir string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		path = filepath.Join(dir, path)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte("data"), 0o644))
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestKernelHonoursOurMarks(t *testing.T) {
	for _, format := range []Format{FormatOverlay, FormatXattr} {
		t.Run(format.String(), func(t *testing.T) {
			dir := t.TempDir()
			ns := hostNamespace(t, handle(t, dir))
			makeFiles(t, dir, "lower/gone", "lower/kept", "lower/sub/gone", "lower/sub/kept",
				"lower/opaque/gone", "mid/sub/new", "mid/opaque/new", "low/x")
			c := NewCodec(format, ns)
			check(t, c.Make(handle(t, dir+"/mid"), "gone"))
			check(t, c.Make(handle(t, dir+"/mid/sub"), "gone"))
			check(t, c.MakeOpaque(handle(t, dir+"/mid/opaque")))
			m := overlayMount(t, dir, ns, "lowerdir=@mid:@lower")
			for path, want := range map[string][]string{
				"": {"kept", "opaque", "sub"}, "/sub": {"kept", "new"}, "/opaque": {"new"},
			} {
				if got := names(t, m+path); !slices.Equal(got, want) {
					t.Errorf("%q: %q, want %q", path, got, want)
				}
			}
			for _, path := range []string{"/gone", "/sub/gone", "/opaque/gone"} {
				if _, err := os.Lstat(m + path); !os.IsNotExist(err) {
					t.Errorf("%q: %v", path, err)
				}
			}
		})
	}
}

// What doc.go says of "x", "y" and files that aren't empty.
func TestKernelXattrWhiteouts(t *testing.T) {
	for _, c := range []struct {
		opaque string
		listed []string
	}{
		{"", []string{"empty", "full", "kept"}},
		{"x", []string{"full", "kept"}},
		{"y", []string{"empty", "full"}},
	} {
		t.Run("opaque="+c.opaque, func(t *testing.T) {
			dir := t.TempDir()
			d := handle(t, dir)
			ns := hostNamespace(t, d)
			makeFiles(t, dir, "lower/sub/empty", "lower/sub/full", "lower/sub/kept", "mid/sub/full")
			check(t, os.WriteFile(dir+"/mid/sub/empty", nil, 0o644))
			check(t, hostfs.Setxattr(d, "mid/sub/empty", ns.Name(Whiteout), []byte("y"), 0))
			check(t, hostfs.Setxattr(d, "mid/sub/full", ns.Name(Whiteout), []byte("y"), 0))
			if c.opaque != "" {
				check(t, hostfs.Setxattr(d, "mid/sub", ns.Name(Opaque), []byte(c.opaque), 0))
			}
			m := overlayMount(t, dir, ns, "lowerdir=@mid:@lower")
			if got := names(t, m+"/sub"); !slices.Equal(got, c.listed) {
				t.Errorf("listed: %q, want %q", got, c.listed)
			}
			if _, err := os.Lstat(m + "/sub/empty"); !os.IsNotExist(err) {
				t.Errorf("empty: %v", err)
			}
			if _, err := os.Lstat(m + "/sub/full"); err != nil {
				t.Errorf("full: %v", err)
			}
		})
	}
}

func TestWeReadTheKernelsMarks(t *testing.T) {
	dir := t.TempDir()
	ns := hostNamespace(t, handle(t, dir))
	makeFiles(t, dir, "lower/gone", "lower/remade/old", "lower/moved/x", "upper/x", "work/x")
	check(t, os.Remove(dir+"/work/x"))
	options := "lowerdir=@lower,upperdir=@upper,workdir=@work"
	if ns == Trusted {
		options += ",redirect_dir=on"
	}
	m := overlayMount(t, dir, ns, options)
	check(t, os.Remove(m+"/gone"))
	check(t, os.RemoveAll(m+"/remade"))
	check(t, os.Mkdir(m+"/remade", 0o755))
	renamed := os.Rename(m+"/moved", m+"/renamed") == nil
	check(t, unix.Unmount(m, 0))

	upper := handle(t, dir+"/upper")
	_, hides, opaque := classes(t, upper)
	if !hides["gone"] || hides["remade"] || opaque {
		t.Errorf("%v, %v", hides, opaque)
	}
	marks, err := ReadDirMarks(upper, "remade")
	if err != nil || !marks.Opaque {
		t.Errorf("%+v, %v", marks, err)
	}
	if !renamed {
		return // no redirects in a user namespace
	}
	marks, err = ReadDirMarks(upper, "renamed")
	if err != nil || !marks.HasRedirect || strings.TrimPrefix(marks.Redirect, "/") != "moved" || !hides["moved"] {
		t.Errorf("%+v, %v, %v", marks, err, hides)
	}
}
