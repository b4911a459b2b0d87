package driver

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// TestLayersAreReadOnce: ten mounts of one image read it from the disk once: what
// one has read is in the host's page cache for all.
func TestLayersAreReadOnce(t *testing.T) {
	fstest.NeedRoot(t)
	if !apart(t) {
		return
	}
	for _, name := range []string{"union", "overlay"} {
		t.Run(name, func(t *testing.T) { readOnce(t, name) })
	}
}

func readOnce(t *testing.T, name string) {
	const mounts, size = 10, 16 << 20
	place := onExt4(t)
	s := storeIn(t, place)
	d, err := byName(name, s)
	if err != nil {
		t.Fatal(err)
	}
	needProbe(t, d)
	b := &bench{T: t, d: d, s: s}
	st, err := s.Begin()
	b.must(err)
	defer st.Close()
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data) // never fails
	b.chain = addLayers(t, st, archive(t, member{name: "./"}, member{name: "./big", text: string(data)}))
	// Who has the kernel forget what it read in between, as the tests of other packages
	// do, has some of it read again. Mounts that each read it do so each time.
	var got int64
	for range 5 {
		got = b.readIn(mounts, size, place)
		if got >= size && got <= size*3/2 {
			return
		}
	}
	t.Errorf("%d bytes were read from the disk for %d mounts of %d", got, mounts, size)
}

// readIn answers how many bytes come from the disk while so many mounts are there that
// each read a file of that size.
func (b *bench) readIn(mounts, size int, place string) int64 {
	b.Helper()
	unix.Sync()
	b.must(os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0))
	before := sectorsRead(b.T, place)
	var with func(left int)
	with = func(left int) {
		if left == 0 {
			return
		}
		n := b.prepare(fmt.Sprint("n", left))
		b.in(n, func(dir string) {
			f, err := os.Open(filepath.Join(dir, "big"))
			b.must(err)
			read, err := io.Copy(io.Discard, f)
			f.Close()
			if err != nil || read != int64(size) {
				b.Errorf("%d bytes are read, %v", read, err)
			}
			with(left - 1)
		})
		b.must(b.d.Remove(b.Context(), n))
	}
	with(mounts)
	return sectorsRead(b.T, place) - before
}

// onExt4 is a directory on an ext4 of its own.
func onExt4(t *testing.T) string {
	t.Helper()
	private(t)
	image, dir := imageFile(t), t.TempDir()
	run(t, "mkfs.ext4", "-q", "-F", image)
	run(t, "mount", "-o", "loop", image, dir)
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// sectorsRead answers how many bytes were ever read from the disk below dir
// (Documentation/block/stat.rst).
func sectorsRead(t *testing.T, dir string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err != nil {
		t.Fatal(err)
	}
	sectors, err := strconv.ParseInt(strings.Fields(string(text))[2], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return sectors * 512
}
