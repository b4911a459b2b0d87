package fs_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// TestFullDisk writes until the disk is full: the writer hears of it while it
// writes, though the kernel takes its data before the server does.
func TestFullDisk(t *testing.T) {
	fstest.NeedRoot(t)
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=8m,mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	layers := fstest.Layers{Lower: []string{"file f \"lower\""}}
	at := layers.Dirs(t)
	at.Upper, at.Work = filepath.Join(disk, "upper"), filepath.Join(disk, "work")
	for _, dir := range []string{at.Upper, at.Work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m := newMount(t, fstest.Layers{At: &at})
	path := filepath.Join(m.Root(), "full")
	if err := fill(path); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("512 MiB to a disk of 8: %v, want ENOSPC", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	roomAgain(t, disk)
	lower := filepath.Join(m.Root(), "f")
	if err := os.WriteFile(lower, []byte("upper"), 0o644); err != nil {
		t.Error(err)
	}
	if data, err := os.ReadFile(lower); err != nil || string(data) != "upper" {
		t.Errorf("afterwards f reads %q, %v", data, err)
	}
}

// roomAgain waits for the kernel to forget what was removed: only then is a
// file without a name known to be open nowhere.
func roomAgain(t *testing.T, disk string) {
	t.Helper()
	var st unix.Statfs_t
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if err := unix.Statfs(disk, &st); err != nil {
			t.Fatal(err)
		}
		if st.Bfree > st.Blocks/2 {
			return
		}
	}
	t.Fatalf("%d of %d blocks are free after the removal", st.Bfree, st.Blocks)
}

// fill answers the first error of write(2) alone. It has the kernel begin to
// write back at once: how long that waits depends on the machine's memory.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // says the same once more
	block := make([]byte, 1<<20)
	for range 512 {
		if _, err := f.Write(block); err != nil {
			return err
		}
		_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) // only to begin
	}
	return nil
}
