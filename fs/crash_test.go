package fs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"unionfs/fs/fstest"
	"unionfs/fs/transport"
)

// version is the whole content of a file at some time.
func version(n int) []byte { return bytes.Repeat([]byte{byte('a' + n%26)}, 5000) }

// TestKilledServer kills the server in the middle of replacing, moving and
// removing files of a lower layer, many times over. After each time every file
// is whole: what it was before or what it was going to be.
func TestKilledServer(t *testing.T) {
	const files = 20
	layers := fstest.Layers{Lower: []string{"dir a 0777\ndir a/sub 0777"}}
	at := layers.Dirs(t)
	for i := range files {
		if err := os.WriteFile(filepath.Join(at.Lower[0], "a", fmt.Sprint(i)), version(0), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	m := newMount(t, fstest.Layers{At: &at}).(*mounted)
	for round := range 12 {
		go func() {
			time.Sleep(time.Duration(3+7*round) * time.Millisecond)
			_ = m.server.Process.Kill()
		}()
		churn(m.Root(), files)
		_ = m.server.Wait()
		m.server = nil
		if err := transport.UnmountLazy(m.target); err != nil {
			t.Fatal(err)
		}
		m.mount(t)
		whole(t, m.Root(), files)
	}
}

// churn changes the tree until the server is gone.
func churn(root string, files int) {
	for n := 1; ; n++ {
		dir := "a"
		if _, err := os.Stat(filepath.Join(root, "b")); err == nil {
			dir = "b"
		}
		path := filepath.Join(root, dir, fmt.Sprint(n%files))
		temp := path + ".new"
		if err := os.WriteFile(temp, version(n), 0o666); err != nil && !os.IsNotExist(err) {
			return
		}
		steps := []func() error{
			func() error { return os.Rename(temp, path) },
			func() error { return os.Chmod(path, 0o640) },
			func() error {
				return os.Rename(filepath.Join(root, dir), filepath.Join(root, map[string]string{"a": "b", "b": "a"}[dir]))
			},
		}
		for _, step := range steps {
			if err := step(); err != nil && !os.IsNotExist(err) {
				return
			}
		}
	}
}

func whole(t *testing.T, root string, files int) {
	t.Helper()
	dir := filepath.Join(root, "a")
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Join(root, "b")
	}
	for i := range files {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if len(data) != 5000 || !bytes.Equal(data, bytes.Repeat(data[:1], 5000)) {
			t.Fatalf("%d holds %d bytes, not a whole version", i, len(data))
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
}
