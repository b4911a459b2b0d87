package fs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// TestOldDescriptors: descriptors of a lower file see what is written after its
// copy-up, whatever mode the file is in by then, and so do those opened later.
func TestOldDescriptors(t *testing.T) {
	m := newMount(t, fstest.Layers{Lower: []string{"file f \"lower\""}})
	path := filepath.Join(m.Root(), "f")
	old, err := os.Open(path)
	must(t, err)
	defer old.Close()
	must(t, os.WriteFile(path, []byte("upper"), 0o644))
	reads := func(f *os.File, want string) {
		t.Helper()
		got := make([]byte, 16)
		n, _ := f.ReadAt(got, 0) // the end of the file is no error here
		if string(got[:n]) != want {
			t.Errorf("%q is read, want %q", got[:n], want)
		}
	}
	reads(old, "upper")
	young, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	reads(young, "upper")
	old.Close()
	_, err = young.WriteAt([]byte("UPPER"), 0)
	must(t, err)
	young.Close()
	// Now nobody has it open: the next ones pass through.
	next, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	reads(next, "UPPER")
	_, err = next.WriteAt([]byte("next!"), 0)
	must(t, err)
	next.Close()
	// Cached again: what was kept from before must not show.
	must(t, os.Chmod(path, 0o4755))
	again, err := os.Open(path)
	must(t, err)
	defer again.Close()
	reads(again, "next!")
}

// TestMappedWrites: what is written through a mapping changes size and times for
// everybody once it is unmapped.
func TestMappedWrites(t *testing.T) {
	m := newMount(t, fstest.Layers{Lower: []string{"file f \"lower\""}})
	path := filepath.Join(m.Root(), "f")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	old := time.Unix(1000000000, 0)
	must(t, os.Chtimes(path, old, old))
	mapped, err := unix.Mmap(int(f.Fd()), 0, 5, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	copy(mapped, "UPPER")
	must(t, unix.Msync(mapped, unix.MS_SYNC))
	must(t, unix.Munmap(mapped))
	f.Close()
	if data, err := os.ReadFile(path); err != nil || string(data) != "UPPER" {
		t.Errorf("%q is read, %v", data, err)
	}
	fi, err := os.Stat(path)
	must(t, err)
	if fi.ModTime().Equal(old) {
		t.Error("the mapping changed no mtime")
	}
}

// TestCrowd opens, lists, renames and removes the same names from many sides at
// once; what hangs is a lock taken in two orders.
func TestCrowd(t *testing.T) {
	m := newMount(t, fstest.Layers{Lower: []string{"dir d\nfile d/0 \"lower\"\nfile d/1 \"lower\"\nfile d/2 \"lower\""}})
	dir := filepath.Join(m.Root(), "d")
	until := time.Now().Add(1500 * time.Millisecond)
	jobs := []func(k int) error{
		func(k int) error { return os.WriteFile(filepath.Join(dir, fmt.Sprint(k%5)), []byte("new"), 0o644) },
		func(k int) error {
			return os.Rename(filepath.Join(dir, fmt.Sprint(k%5)), filepath.Join(dir, fmt.Sprint((k+1)%5)))
		},
		func(int) error { _, err := os.ReadDir(dir); return err },
		func(k int) error { _, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(k%5))); return err },
		func(k int) error { return os.Remove(filepath.Join(dir, fmt.Sprint(k%5))) },
	}
	var wait sync.WaitGroup
	for i, job := range jobs {
		wait.Go(func() {
			for k := i; time.Now().Before(until); k++ {
				if err := job(k); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("job %d: %v", i, err)
					return
				}
			}
		})
	}
	wait.Wait()
}
