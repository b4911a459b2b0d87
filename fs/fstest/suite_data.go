package fstest

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"
)

// dataChecks: fallocate, holes, copies and syncs.
var dataChecks = []check{
	{name: "data/fallocate", run: func(e *env) {
		for _, flags := range []int{0, unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE,
			unix.FALLOC_FL_ZERO_RANGE, unix.FALLOC_FL_ZERO_RANGE | unix.FALLOC_FL_KEEP_SIZE} {
			e.write("f", string(bytes.Repeat([]byte("z"), 10000)))
			e.follow()
			e.do(Op{Kind: Fallocate, Path: "f", Flags: flags, Off: 5000, Len: 20000}, Op{Kind: Stat, Path: "f"}, Op{Kind: Read, Path: "f"},
				Op{Kind: Fallocate, Path: "f", Flags: flags, Off: 100, Len: 300}, Op{Kind: Read, Path: "f"})
		}
	}},
	{name: "data/fallocate-of-lower", layers: Layers{Lower: []string{"random f 20000 3"}}, run: func(e *env) {
		e.do(Op{Kind: Fallocate, Path: "f", Flags: unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE, Off: 4096, Len: 8192},
			Op{Kind: Read, Path: "f"}, Op{Kind: Remount}, Op{Kind: Read, Path: "f"}, Op{Kind: Stat, Path: "f"})
		e.agree()
	}},
	{name: "data/seek-hole", layers: sparseLayers(), run: func(e *env) {
		seekHoles(e)
		e.must(unix.Chmod(e.p("s"), 0o600))
		seekHoles(e)
		e.m.Remount(e)
		seekHoles(e)
	}},
	{name: "data/copy-file-range", layers: Layers{Lower: []string{"random src 300000 9\nfile dst \"old\""}}, run: func(e *env) {
		src, dst := e.open("src", os.O_RDONLY), e.open("dst", os.O_RDWR)
		at := int64(1000)
		for at < 300000 {
			in, out := at, at-1000
			n, err := unix.CopyFileRange(int(src.Fd()), &in, int(dst.Fd()), &out, int(300000-at), 0)
			e.must(err)
			if n == 0 {
				e.Fatalf("copy_file_range stopped at %d", at)
			}
			at += int64(n)
		}
		e.close(src)
		e.close(dst)
		e.content("dst", string(RandomBytes(300000, 9)[1000:]))
	}},
	{name: "data/sync", run: func(e *env) {
		f := e.open("low", os.O_RDWR)
		_, err := f.WriteAt([]byte("synced"), 0)
		e.must(err)
		e.must(f.Sync())
		e.must(unix.Fdatasync(int(f.Fd())))
		e.close(f)
		for _, dir := range []string{".", "both", "deep", "empty"} {
			d := e.open(dir, os.O_RDONLY)
			e.must(d.Sync())
			e.must(unix.Fdatasync(int(d.Fd())))
			e.must(unix.Syncfs(int(d.Fd())))
			e.close(d)
		}
		f = e.open("high", os.O_RDONLY)
		e.must(f.Sync())
		e.close(f)
		got, err := os.ReadFile(e.upper("low"))
		if err != nil || string(got) != "synced" {
			e.Errorf("upper after fsync: %q %v", got, err)
		}
	}},
	{name: "data/big-offsets", run: func(e *env) {
		f := e.open("far", os.O_RDWR|os.O_CREATE)
		_, err := f.WriteAt([]byte("end"), 5<<30)
		e.must(err)
		buf := make([]byte, 3)
		_, err = f.ReadAt(buf, 5<<30)
		e.must(err)
		e.must(mentions(buf, "end"))
		_, err = f.ReadAt(buf, 4<<30)
		e.must(err)
		e.must(mentions(buf, "\x00\x00\x00"))
		e.must(f.Truncate(0))
		e.close(f)
	}},
}

// seekHoles: the island of sparseLayers is at 1 MiB.
func seekHoles(e *env) {
	e.Helper()
	f := e.open("s", os.O_RDONLY)
	defer e.close(f)
	const mib = int64(1 << 20)
	for _, c := range []struct {
		off    int64
		whence int
		want   int64
	}{{0, unix.SEEK_DATA, mib}, {0, unix.SEEK_HOLE, 0}, {mib, unix.SEEK_DATA, mib}, {mib, unix.SEEK_HOLE, mib + 4096}} {
		got, err := unix.Seek(int(f.Fd()), c.off, c.whence)
		if err != nil || got != c.want {
			e.Errorf("lseek(%d, whence %d) = %d %v, want %d", c.off, c.whence, got, err, c.want)
		}
	}
	_, err := unix.Seek(int(f.Fd()), 2*mib, unix.SEEK_DATA)
	e.want("SEEK_DATA behind all data", err, unix.ENXIO)
	_, err = unix.Seek(int(f.Fd()), 2<<30, unix.SEEK_HOLE)
	e.want("SEEK_HOLE behind the end", err, unix.ENXIO)
}
