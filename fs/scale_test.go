package fs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// flatLayers makes dirs directories of files empty files each in one layer.
func flatLayers(t *testing.T, dirs, files int) fstest.Layers {
	t.Helper()
	layers := fstest.Layers{Lower: []string{""}}
	at := layers.Dirs(t)
	for d := range dirs {
		dir := filepath.Join(at.Lower[0], fmt.Sprintf("d%d", d))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for f := range files {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d", f)), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return fstest.Layers{At: &at}
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestManyLayers(t *testing.T) {
	const layers = 500
	var l fstest.Layers
	for i := range layers {
		l.Lower = append(l.Lower, fmt.Sprintf("dir d\nfile d/g%d \"%d\"\nfile same \"%d\"\nfile f%d \"x\"", i, i, i, i))
	}
	m := newMount(t, l)
	check := func() {
		t.Helper()
		if n := entries(t, m.Root()); n != layers+2 {
			t.Errorf("%d entries in the root, want %d", n, layers+2)
		}
		if n := entries(t, filepath.Join(m.Root(), "moved")); n != layers-1 {
			t.Errorf("%d entries in the merged directory, want %d", n, layers-1)
		}
	}
	if data, err := os.ReadFile(filepath.Join(m.Root(), "same")); err != nil || string(data) != "0" {
		t.Errorf("the highest layer's file reads %q, %v", data, err)
	}
	for _, err := range []error{
		os.Remove(filepath.Join(m.Root(), "d/g499")),
		os.Rename(filepath.Join(m.Root(), "d"), filepath.Join(m.Root(), "moved")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	check()
	m.Remount(t)
	check()
}

func TestBigDirectory(t *testing.T) {
	const files = 100_000
	m := newMount(t, flatLayers(t, 1, files))
	dir := filepath.Join(m.Root(), "d0")
	for i := 0; i < files; i += 10 {
		if err := os.Remove(filepath.Join(dir, fmt.Sprintf("f%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if n := entries(t, dir); n != files*9/10 {
			t.Errorf("%d entries, want %d", n, files*9/10)
		}
		m.Remount(t)
	}
}

func (m *mounted) status(t *testing.T, key string) (value int) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.server.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return value
}

// TestMemoryFallsBack walks a tree, makes the kernel forget it, and expects
// the server to give its memory back.
func TestMemoryFallsBack(t *testing.T) {
	fstest.NeedRoot(t)
	m := newMount(t, flatLayers(t, 100, 1000)).(*mounted)
	if err := filepath.Walk(m.Root(), func(string, os.FileInfo, error) error { return nil }); err != nil {
		t.Fatal(err)
	}
	peak := m.status(t, "VmRSS")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0); err != nil {
			t.Fatal(err)
		}
		if now := m.status(t, "VmRSS"); now < peak/2 {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("resident memory is still %d KiB after the caches were dropped; it was %d", now, peak)
		}
	}
}

// TestFewDescriptors serves more directories and open files than the server
// may have descriptors.
func TestFewDescriptors(t *testing.T) {
	t.Setenv(noFileVariable, "64")
	m := newMount(t, flatLayers(t, 300, 2)).(*mounted)
	var open []*os.File
	for d := range 300 {
		path := filepath.Join(m.Root(), fmt.Sprintf("d%d", d), "f0")
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, f)
		if _, err := f.WriteString(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range open {
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Nlink != 0 || st.Size != int64(len(f.Name())) {
			t.Errorf("%s: nlink %d, size %d, %v", f.Name(), st.Nlink, st.Size, err)
		}
		data := make([]byte, st.Size)
		if _, err := f.ReadAt(data, 0); err != nil || string(data) != f.Name() {
			t.Errorf("%s reads %q, %v", f.Name(), data, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", m.server.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if len(fds) > 64 {
		t.Errorf("%d descriptors", len(fds))
	}
}
