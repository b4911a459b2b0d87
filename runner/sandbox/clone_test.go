package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSubpath: a part of a mount, a directory or a file, from which no symlink
// leads out.
func TestSubpath(t *testing.T) {
	data := t.TempDir()
	for _, dir := range []string{"a/b", "etc"} {
		if err := os.MkdirAll(filepath.Join(data, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(data, "a/b/file"), "deep\n", 0o644)
	write(t, filepath.Join(data, "etc/passwd"), "its own\n", 0o644)
	for name, target := range map[string]string{"abs": "/etc/passwd", "up": "../../../../../etc/passwd"} {
		if err := os.Symlink(target, filepath.Join(data, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ subpath, script, want string }{
		{"a/b", "ls /new; cat /new/file", "file\ndeep\n"},
		{"a/b/file", "cat /new", "deep\n"},
		{"abs", "cat /new", "its own\n"},
		{"up", "cat /new", "its own\n"},
	} {
		for _, handed := range []bool{true, false} {
			out := sh(t, c.script, func(s *Spec) {
				m := Mount{Type: "bind", Source: data, Target: "/new", Subpath: c.subpath}
				if handed && os.Geteuid() == 0 { // nobody else may clone
					m.Fd = cloned(t, data)
				}
				s.Mounts = append(s.Mounts, m)
			})
			if out != c.want {
				t.Errorf("%s: %q, want %q", c.subpath, out, c.want)
			}
		}
	}
	s := testSpec(t, "true")
	s.Mounts = append(s.Mounts, Mount{Type: "bind", Source: data, Target: "/new", Subpath: "nothing/here"})
	if _, _, err := tryRun(t, s); err == nil || !strings.Contains(err.Error(), "nothing/here: no such file") {
		t.Errorf("a part that isn't there: %v", err)
	}
}

func cloned(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := Clone(path, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestTargetStaysInside: symlinks of the root lead to its own files.
func TestTargetStaysInside(t *testing.T) {
	data, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(data, "file"), "data\n", 0o644)
	s := testSpec(t, "cat", outside+"/place/file")
	for name, target := range map[string]string{"way": outside, "up": "../../../.." + outside} {
		if err := os.Symlink(target, filepath.Join(s.RootPath, name)); err != nil {
			t.Fatal(err)
		}
	}
	bindOf(data, "/way/place", "bind")(&s)
	bindOf(data, "/up/other", "bind")(&s)
	if out, _ := run(t, s); out != "data\n" {
		t.Errorf("%q", out)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside there is %v, %v", left, err)
	}
}
