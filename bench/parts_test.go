package bench

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSizes(t *testing.T) {
	s := DefaultSizes()
	for _, word := range []string{"0.5", "big=7", "layers=9"} {
		if err := s.Set(word); err != nil {
			t.Errorf("%s: %v", word, err)
		}
	}
	if s["big"] != 7 || s["layers"] != 9 || s["append"] != 750 || s["many"] != 128 {
		t.Errorf("got %v", s)
	}
	if err := s.Set("0.0001"); err != nil || s["big"] != 1 {
		t.Errorf("a size below one: %d, %v", s["big"], err)
	}
	for _, word := range []string{"", "0", "-1", "x", "big=", "big=0", "big=x", "bog=3", "1e9"} {
		if err := s.Set(word); err == nil {
			t.Errorf("%q was taken", word)
		}
	}
}

// TestCommandFitsOnAPage: mount(2) takes no longer options.
func TestCommandFitsOnAPage(t *testing.T) {
	target := Target{Mount: []string{"mount", "-o", "lowerdir={lower},upperdir={upper}", "{mount}"}}
	l := layout{upper: "/work/run/upper", mounted: "/work/run/mount"}
	for i := range 128 {
		l.lower = append(l.lower, fmt.Sprintf("/work/some/long/way/fixtures/many-123456/%03d", i))
	}
	l.lower = append(l.lower, "/work/some/long/way/fixtures/base-123456")
	argv, dir := target.command(l)
	if dir != "/work/some/long/way/fixtures" || len(argv[2]) > 4096 || !strings.HasPrefix(argv[2], "lowerdir=many-123456/000:many-123456/001:") {
		t.Errorf("in %s, %d bytes: %s", dir, len(argv[2]), argv[2])
	}
	if !strings.HasSuffix(argv[2], ":base-123456,upperdir=/work/run/upper") || argv[3] != l.mounted {
		t.Errorf("got %q", argv)
	}
	alone, dir := Target{Mount: []string{"{branches}", "{lower}"}}.command(layout{lower: []string{"/a/b"}, upper: "/u"})
	if dir != "/a" || alone[0] != "/u=RW:/a/b=RO" || alone[1] != "b" {
		t.Errorf("one layer: %q in %s", alone, dir)
	}
}

func TestSelect(t *testing.T) {
	all := []string{"kernel", "kernel-rootless", "native", "unionfs"}
	self := func(s string) string { return s }
	got, err := Select(all, self, "target", []string{"un*", "kernel*"})
	if err != nil || !slices.Equal(got, []string{"kernel", "kernel-rootless", "unionfs"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Select(all, self, "target", []string{"kernel", "zfs"}); err == nil || !strings.Contains(err.Error(), `"zfs"`) {
		t.Errorf("a glob that matches nothing: %v", err)
	}
	got, err = Select(all, self, "target", []string{"kernel*", "!*-rootless"})
	if err != nil || !slices.Equal(got, []string{"kernel"}) {
		t.Errorf("all but one of the kernel's: %v, %v", got, err)
	}
	got, err = Select(all, self, "target", []string{"!kernel*"})
	if err != nil || !slices.Equal(got, []string{"native", "unionfs"}) {
		t.Errorf("all but the kernel's: %v, %v", got, err)
	}
	if _, err := Select(all, self, "target", []string{"!*"}); err == nil {
		t.Error("nothing at all was taken")
	}
	if got, err := Select(all, self, "target", nil); err != nil || len(got) != 4 {
		t.Errorf("no globs: %v, %v", got, err)
	}
}

func TestDbenchRate(t *testing.T) {
	if got, err := dbenchRate(" Operation ...\n\nThroughput 123.45 MB/sec  4 clients\n"); err != nil || got != 123.45 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, out := range []string{"", "Throughput", "Throughput 0 MB/sec", "Throughput x MB/sec"} {
		if _, err := dbenchRate(out); err == nil {
			t.Errorf("%q was taken", out)
		}
	}
}

// testShed is a shed with a generated base of a few files.
func testShed(t *testing.T) *shed {
	t.Helper()
	o := tiny(t, []Target{native}, "tar")
	s, err := newShed(o, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, s *shed, name string) string {
	t.Helper()
	path, err := s.get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGeneratedTreeIsAlwaysTheSame(t *testing.T) {
	var texts []string
	for range 2 {
		dir := t.TempDir()
		if err := generate(dir, 80); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			info, ierr := entry.Info()
			if entry.Type().IsRegular() {
				fmt.Fprintln(&text, path[len(dir):], info.Size())
			}
			return errors.Join(err, ierr)
		})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text.String())
	}
	if texts[0] != texts[1] || strings.Count(texts[0], "\n") < 60 {
		t.Errorf("first:\n%s\nthen:\n%s", texts[0], texts[1])
	}
}

// TestArchiveHasEnough: a small base is packed several times.
func TestArchiveHasEnough(t *testing.T) {
	s := testShed(t)
	s.sizes["untar"] = 300
	f, err := os.Open(get(t, s, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names := map[string]bool{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names[h.Name] = true
	}
	if len(names) < 300 || len(names) > 400 {
		t.Errorf("%d names, none of them twice", len(names))
	}
}

// TestFixturesAreKept: what was made is found again, what was left half-made
// isn't, and another size is another fixture.
func TestFixturesAreKept(t *testing.T) {
	s := testShed(t)
	first := get(t, s, "big")
	if err := os.WriteFile(filepath.Join(first, "mark"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := newShed(s.opts, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	if path := get(t, again, "big"); path != first {
		t.Errorf("made again: %s and %s", first, path)
	}
	if _, err := os.Stat(filepath.Join(first, "mark")); err != nil {
		t.Error("the fixture was made again in place")
	}
	again.sizes, again.made = again.sizes.Clone(), map[string]found{}
	again.sizes["big"] = 2
	if path := get(t, again, "big"); path == first {
		t.Error("another size is the same fixture")
	}
	broken := errors.New("no more space")
	_, err = s.keep("half", func(path string) error {
		return errors.Join(os.MkdirAll(filepath.Join(path, "begun"), 0o755), broken)
	})
	if left, _ := filepath.Glob(filepath.Join(s.dir, "half*")); !errors.Is(err, broken) || len(left) > 0 {
		t.Errorf("a fixture that failed: %v, left %v", err, left)
	}
}

// TestMergedShowsTheTopmost: also where a directory covers a symbolic link.
func TestMergedShowsTheTopmost(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{"top/bin/go": "top", "low/usr/bin/x": "low", "low/same": "low", "top/same": "top"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("usr/bin", filepath.Join(dir, "low/bin")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	if err := copyLayers(t.Context(), []string{filepath.Join(dir, "top"), filepath.Join(dir, "low")}, out); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"same": "top", "bin/go": "top", "usr/bin/x": "low"} {
		if data, err := os.ReadFile(filepath.Join(out, name)); string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if info, err := os.Lstat(filepath.Join(out, "bin")); err != nil || !info.IsDir() {
		t.Errorf("bin isn't the top layer's directory: %v", err)
	}
}
