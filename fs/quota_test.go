package fs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs"
	"unionfs/fs/fstest"
)

const quotaLimit = 4 << 20

// quotaMount has a lower file of 3 MiB.
func quotaMount(t *testing.T) *mounted {
	mount := mountWith(func(cfg *fs.Config) { cfg.Union.Quota = quotaLimit })
	at := fstest.Layers{Lower: []string{"file small \"lower\""}}.Dirs(t)
	if err := os.WriteFile(filepath.Join(at.Lower[0], "big"), bytes.Repeat([]byte("big\n"), 3<<18), 0o644); err != nil {
		t.Fatal(err)
	}
	return mount(t, fstest.Layers{At: &at}).(*mounted)
}

func left(t *testing.T, dir string) int64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if total := int64(st.Blocks) * st.Bsize; total > quotaLimit {
		t.Fatalf("statfs says %d bytes of %d", total, quotaLimit)
	}
	return int64(st.Bfree) * st.Bsize
}

// write answers how many bytes of size fitted.
func write(path string, size int) (int, error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Write(make([]byte, size))
}

// TestQuota: what upper takes stays below the limit, whatever makes it grow, and
// what is removed is room again.
func TestQuota(t *testing.T) {
	m := quotaMount(t)
	in := func(name string) string { return filepath.Join(m.Root(), name) }
	n, err := write(in("full"), 2*quotaLimit)
	if !isFull(err) || n < quotaLimit/2 || n > quotaLimit {
		t.Errorf("a file of twice the limit: %d bytes fitted, %v", n, err)
	}
	if room := left(t, m.Root()); room > quotaLimit/8 {
		t.Errorf("%d bytes are left of a full quota", room)
	}
	f, err := os.OpenFile(in("full"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("over"), 8192); err != nil {
		t.Errorf("overwriting what is there: %v", err)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, int64(n), 1<<20); err != unix.ENOSPC {
		t.Errorf("fallocate: %v", err)
	}
	f.Close()
	if err := appendTo(in("big")); !isFull(err) {
		t.Errorf("copy-up of 3 MiB: %v", err)
	}
	if data, err := os.ReadFile(in("big")); err != nil || len(data) != 3<<20 {
		t.Errorf("the lower file after that: %d bytes, %v", len(data), err)
	}
	m.Remount(t)
	if room := left(t, m.Root()); room > quotaLimit/8 {
		t.Errorf("%d bytes are left of a full quota after a remount", room)
	}
	if err := os.Remove(in("full")); err != nil {
		t.Fatal(err)
	}
	awaitRoom(t, m.Root(), quotaLimit-1<<16)
	if err := appendTo(in("big")); err != nil {
		t.Errorf("copy-up with room for it: %v", err)
	}
}

// TestQuotaAfterRemove writes right after a file that filled the quota was removed,
// and asks how much room there is. The answer to that doesn't wait long for the kernel,
// which takes its time on a busy machine: then it may be late, not in most rounds.
func TestQuotaAfterRemove(t *testing.T) {
	const rounds, room = 300, quotaLimit - 1<<18
	m := quotaMount(t)
	name := filepath.Join(m.Root(), "full")
	late := 0
	for i := range rounds {
		if n, err := write(name, room); err != nil {
			t.Fatalf("round %d: %d bytes fitted, %v", i, n, err)
		}
		must(t, os.Remove(name))
		if i%2 == 0 && left(t, m.Root()) < room {
			late++
			awaitRoom(t, m.Root(), room)
		}
	}
	t.Logf("late were %d of %d", late, rounds/2)
	if late > rounds/2/5 {
		t.Errorf("in %d of %d rounds a file that was just removed still took its room", late, rounds/2)
	}
}

// TestQuotaOpenRemoved: a removed file takes its room until it is closed, and
// nobody waits long for that.
func TestQuotaOpenRemoved(t *testing.T) {
	m := quotaMount(t)
	name := filepath.Join(m.Root(), "full")
	f, err := os.Create(name)
	must(t, err)
	_, err = f.Write(make([]byte, quotaLimit-1<<18))
	must(t, err)
	must(t, os.Remove(name))
	began := time.Now()
	if _, err := write(filepath.Join(m.Root(), "more"), 1<<20); !isFull(err) {
		t.Errorf("there is room while the removed file is open: %v", err)
	}
	if room := left(t, m.Root()); room > 1<<18 {
		t.Errorf("%d bytes are left", room)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	must(t, f.Close())
	if _, err := write(filepath.Join(m.Root(), "more"), 1<<20); err != nil {
		t.Errorf("no room after it was closed: %v", err)
	}
}

// TestQuotaKeepsCount: making and removing all kinds of things leaves the count
// where it was.
func TestQuotaKeepsCount(t *testing.T) {
	m := quotaMount(t)
	before := left(t, m.Root())
	for i := range 30 {
		dir := filepath.Join(m.Root(), fmt.Sprint("d", i))
		must(t, os.Mkdir(dir, 0o755))
		for k := range 60 {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(k)), make([]byte, k*100), 0o644))
		}
		file := filepath.Join(dir, "1")
		must(t, unix.Setxattr(file, "user.long", bytes.Repeat([]byte("x"), 3000), 0))
		must(t, os.Link(file, filepath.Join(dir, "linked")))
		must(t, os.Truncate(file, 100000))
		must(t, os.Rename(filepath.Join(dir, "2"), filepath.Join(dir, "3")))
		must(t, os.Symlink("1", filepath.Join(dir, "symlink")))
		must(t, os.RemoveAll(dir))
	}
	awaitRoom(t, m.Root(), before-1<<16)
	if room := left(t, m.Root()); room > before+1<<16 {
		t.Errorf("%d bytes are left, and before there were %d", room, before)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func isFull(err error) bool {
	pe, ok := err.(*os.PathError)
	return ok && pe.Err == unix.ENOSPC
}

func appendTo(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("more")
	return err
}

// awaitRoom waits for the kernel to forget what was removed.
func awaitRoom(t *testing.T, dir string, want int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if left(t, dir) >= want {
			return
		}
	}
	t.Errorf("%d bytes are left, want %d", left(t, dir), want)
}
