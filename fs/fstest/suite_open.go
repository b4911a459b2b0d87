package fstest

import (
	"bytes"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// openChecks: descriptors and mappings stay coherent, whatever happens to the
// names and layers under them.
var openChecks = []check{
	{name: "open/reader-from-before-copyup-sees-writes", run: func(e *env) {
		e.do(Op{Kind: Hold, Slot: 0, Path: "low", Flags: unix.O_RDONLY}, Op{Kind: HeldRead, Slot: 0},
			Op{Kind: Write, Path: "low", Off: 1, Data: "OWER"}, Op{Kind: HeldRead, Slot: 0}, Op{Kind: HeldStat, Slot: 0},
			Op{Kind: Hold, Slot: 1, Path: "low", Flags: unix.O_RDWR}, Op{Kind: HeldWrite, Slot: 1, Off: 100, Data: "far"},
			Op{Kind: HeldRead, Slot: 0}, Op{Kind: HeldTruncate, Slot: 1, Len: 2}, Op{Kind: HeldRead, Slot: 0}, Op{Kind: Read, Path: "low"})
		e.agree()
	}},
	{name: "open/reader-from-before-copyup-sees-metadata", run: func(e *env) {
		e.do(Op{Kind: Hold, Path: "low", Flags: unix.O_RDONLY}, Op{Kind: Chmod, Path: "low", Mode: 0o600}, Op{Kind: HeldStat},
			Op{Kind: Link, Path: "low", To: "low2"}, Op{Kind: HeldStat}, Op{Kind: Unlink, Path: "low"}, Op{Kind: HeldStat},
			Op{Kind: Append, Path: "low2", Data: "x"}, Op{Kind: HeldRead})
		e.agree()
	}},
	{name: "open/unlinked-files-live", run: func(e *env) {
		for slot, p := range []string{"low", "high", "both/bottom"} {
			e.do(Op{Kind: Hold, Slot: slot, Path: p, Flags: unix.O_RDWR}, Op{Kind: Unlink, Path: p}, Op{Kind: HeldStat, Slot: slot},
				Op{Kind: HeldRead, Slot: slot}, Op{Kind: HeldWrite, Slot: slot, Off: 2, Data: "more data"}, Op{Kind: HeldRead, Slot: slot},
				Op{Kind: Create, Path: p, Mode: 0o644, Data: "another"}, Op{Kind: HeldRead, Slot: slot}, Op{Kind: HeldStat, Slot: slot})
		}
		e.agree()
	}},
	{name: "open/unlinked-lower-file-read-only", kernel: "fstat of it still says one link", run: func(e *env) {
		e.do(Op{Kind: Hold, Path: "low", Flags: unix.O_RDONLY}, Op{Kind: Unlink, Path: "low"}, Op{Kind: HeldRead}, Op{Kind: HeldStat})
		e.agree()
	}},
	{name: "open/descriptor-changes-unlinked-file", run: fdAttributes},
	{name: "open/removed-directory", run: func(e *env) {
		e.do(Op{Kind: Hold, Path: "empty", Flags: unix.O_RDONLY}, Op{Kind: Rmdir, Path: "empty"}, Op{Kind: HeldReaddir})
		e.agree()
	}},
	{name: "open/append", run: func(e *env) {
		a := e.open("low", os.O_WRONLY|os.O_APPEND)
		b := e.open("low", os.O_WRONLY|os.O_APPEND)
		for i := range 20 {
			f := []*os.File{a, b}[i%2]
			_, err := fmt.Fprintf(f, "%02d", i)
			e.must(err)
		}
		e.close(a)
		e.close(b)
		e.content("low", "low0001020304050607080910111213141516171819")
	}},
	{name: "open/tmpfile", run: func(e *env) {
		e.do(Op{Kind: Tmpfile, Path: ".", To: "t1", Mode: 0o640, Data: "tmp"}, Op{Kind: Tmpfile, Path: "deep/er", To: "deep/t2", Mode: 0o600, Data: "x"},
			Op{Kind: Tmpfile, Path: "both", To: "low", Mode: 0o600}, Op{Kind: Tmpfile, Path: "both", To: "both/gone", Mode: 0o600, Data: "over whiteout"},
			Op{Kind: Tmpfile, Path: "low", To: "x", Mode: 0o600}, Op{Kind: Stat, Path: "t1"}, Op{Kind: Readdir, Path: "deep/er"})
		fd, err := unix.Open(e.p("."), unix.O_TMPFILE|unix.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
		e.must(err)
		e.want("link of an O_EXCL tmpfile", LinkFD(fd, e.p("no")), unix.ENOENT)
		e.must(unix.Close(fd))
		e.agree()
	}},
	{name: "open/direct", run: directIO},
	{name: "open/mmap-shared-coherent", run: mmapShared},
	{name: "open/mmap-private-keeps-out", run: func(e *env) {
		f := e.open("low", os.O_RDONLY)
		m, err := unix.Mmap(int(f.Fd()), 0, 3, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
		e.must(err)
		m[0] = 'X'
		e.content("low", "low")
		e.must(unix.Munmap(m))
		e.close(f)
	}},
	{name: "open/mmap-from-before-copyup-sees-writes", kernel: "a read-only mapping stays with the lower file", run: func(e *env) {
		f := e.open("low", os.O_RDONLY)
		m, err := unix.Mmap(int(f.Fd()), 0, 3, unix.PROT_READ, unix.MAP_SHARED)
		e.must(err)
		e.must(mentions(m, "low"))
		w := e.open("low", os.O_WRONLY)
		_, err = w.WriteAt([]byte("LOW"), 0)
		e.must(err)
		e.must(mentions(m, "LOW"))
		e.must(unix.Munmap(m))
		e.close(f)
		e.close(w)
	}},
	{name: "open/noatime-and-nofollow", run: func(e *env) {
		e.close(e.open("low", os.O_RDONLY|unix.O_NOATIME))
		_, err := unix.Open(e.p("sym"), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		e.want("O_NOFOLLOW of a symlink", err, unix.ELOOP)
		_, err = unix.Open(e.p("low"), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		e.want("O_DIRECTORY of a file", err, unix.ENOTDIR)
		e.content("sym", "low")
	}},
}

func mentions(m []byte, want string) error {
	if !bytes.Equal(m[:len(want)], []byte(want)) {
		return fmt.Errorf("mapping shows %q, want %q", m[:len(want)], want)
	}
	return nil
}

// fdAttributes changes a file that no name leads to.
func fdAttributes(e *env) {
	for _, p := range []string{"low", "high"} {
		f := e.open(p, os.O_RDWR)
		e.must(unix.Unlink(e.p(p)))
		e.must(f.Chmod(0o611))
		e.must(unix.Fsetxattr(int(f.Fd()), "user.k", []byte("v"), 0))
		e.must(f.Truncate(1))
		var st unix.Stat_t
		e.must(unix.Fstat(int(f.Fd()), &st))
		if st.Mode&0o7777 != 0o611 || st.Size != 1 || st.Nlink != 0 {
			e.Errorf("%s: mode %04o size %d nlink %d, want 0611 1 0", p, st.Mode&0o7777, st.Size, st.Nlink)
		}
		buf := make([]byte, 8)
		if n, err := unix.Fgetxattr(int(f.Fd()), "user.k", buf); err != nil || string(buf[:n]) != "v" {
			e.Errorf("%s: xattr of an unlinked file: %q %v", p, buf[:max(n, 0)], err)
		}
		e.close(f)
	}
}

// directIO mixes direct and buffered I/O: old buffers must not hide what was
// written past them.
func directIO(e *env) {
	e.write("d", string(bytes.Repeat([]byte("a"), 8192)))
	e.content("d", string(bytes.Repeat([]byte("a"), 8192)))
	f := e.open("d", os.O_RDWR|unix.O_DIRECT)
	block := aligned(4096)
	copy(block, bytes.Repeat([]byte("b"), 4096))
	_, err := f.WriteAt(block, 4096)
	e.must(err)
	e.content("d", string(append(bytes.Repeat([]byte("a"), 4096), block...)))
	w := e.open("d", os.O_WRONLY)
	_, err = w.WriteAt([]byte("cc"), 0)
	e.must(err)
	_, err = f.ReadAt(block, 0)
	e.must(err)
	if string(block[:3]) != "cca" {
		e.Errorf("direct read after a buffered write: %q", block[:3])
	}
	e.close(w)
	e.close(f)
}

// aligned is memory that O_DIRECT takes: it begins at a multiple of 4096.
func aligned(n int) []byte {
	raw := make([]byte, n+4096)
	skip := 4096 - int(uintptr(unsafe.Pointer(&raw[0]))%4096)
	return raw[skip%4096:][:n]
}

// mmapShared writes through one way and reads through each other.
func mmapShared(e *env) {
	for _, p := range []string{"low", "high"} {
		f := e.open(p, os.O_RDWR)
		e.must(f.Truncate(4096))
		m, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		e.must(err)
		copy(m[100:], "by the mapping")
		buf := make([]byte, 14)
		_, err = f.ReadAt(buf, 100)
		e.must(err)
		if string(buf) != "by the mapping" {
			e.Errorf("%s: read shows %q", p, buf)
		}
		_, err = f.WriteAt([]byte("BY"), 100)
		e.must(err)
		e.must(mentions(m[100:], "BY the mapping"))
		copy(m[200:], "late")
		e.must(unix.Msync(m, unix.MS_SYNC))
		e.must(unix.Munmap(m))
		e.close(f)
		got, err := os.ReadFile(e.p(p))
		e.must(err)
		e.must(mentions(got[200:], "late"))
	}
}
