package bench

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// bigName is the big file of the fixture "big".
const bigName = "big.bin"

const block = 4096

var bigLowers = []string{"big", "base"}

// dataWorkloads move data.
func dataWorkloads() []Workload {
	read := func(b *Bed) error { return b.dd("if="+b.path(bigName), "of=/dev/null", "bs=1M") }
	return []Workload{
		{Name: "append-big", What: "one line appended to the big lower file", lowers: bigLowers, writes: true,
			run: func(b *Bed) error { return appendLine(b.path(bigName)) }},
		{Name: "read-first", What: "dd of the big lower file, nothing of it in memory", lowers: bigLowers, cold: true, run: read},
		{Name: "read-again", What: "dd of the big lower file once more", lowers: bigLowers, warm: read, run: read},
		{Name: "write", What: "dd of zeros into a new file, blocks of 1 MiB, to close", writes: true,
			run: func(b *Bed) error { return b.ddWrite("write", 1<<20) }},
		{Name: "write-sync", What: "the same, to fsync", writes: true,
			run: func(b *Bed) error { return b.ddWrite("write", 1<<20, "conv=fsync") }},
		{Name: "write-4k", What: "dd of zeros into a new file, blocks of 4 KiB, to close", writes: true,
			run: func(b *Bed) error { return b.ddWrite("write-4k", block) }},
		{Name: "read-random", What: "pread of 4 KiB at random places of the big file, in memory", lowers: bigLowers, warm: read,
			run: func(b *Bed) error { return b.random(bigName, os.O_RDONLY, unix.Pread) }},
		{Name: "read-mmap", What: "each page of the big file touched in a mapping, in memory", lowers: bigLowers, warm: read, run: readMapped},
		{Name: "write-random", What: "pwrite of 4 KiB at random places of a file made in the mount, to close", writes: true,
			warm: func(b *Bed) error { return b.ddWrite("write-4k", 1<<20) },
			run:  func(b *Bed) error { return b.random("written", os.O_WRONLY, unix.Pwrite) }},
		{Name: "hot-open", What: "open, fstat, read and close of one lower file, over and over", warm: hotOpen, run: hotOpen},
	}
}

func (b *Bed) dd(words ...string) error {
	return b.tool(append([]string{"dd", "status=none"}, words...)...)
}

// ddWrite writes as much as a size says, in blocks of so many bytes.
func (b *Bed) ddWrite(size string, block int, words ...string) error {
	count := max(1, b.size(size)*(1<<20)/block)
	return b.dd(append([]string{"if=/dev/zero", "of=" + b.path("written"),
		"bs=" + strconv.Itoa(block), "count=" + strconv.Itoa(count)}, words...)...)
}

// random calls op at the same random places on every target.
func (b *Bed) random(name string, flags int, op func(fd int, p []byte, off int64) (int, error)) error {
	f, err := os.OpenFile(b.path(name), flags, 0)
	if err != nil {
		return err
	}
	blocks, err := countBlocks(f)
	if err == nil {
		err = atRandom(int(f.Fd()), blocks, b.size("random"), op)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func countBlocks(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err == nil && info.Size() < block {
		err = fmt.Errorf("%s has %d bytes, too few", f.Name(), info.Size())
	}
	if err != nil {
		return 0, err
	}
	return info.Size() / block, nil
}

func atRandom(fd int, blocks int64, times int, op func(fd int, p []byte, off int64) (int, error)) error {
	places := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, block)
	for range times {
		n, err := op(fd, buf, places.Int64N(blocks)*block)
		if err != nil {
			return err
		}
		if n != block {
			return fmt.Errorf("%d bytes instead of %d", n, block)
		}
	}
	return nil
}

func readMapped(b *Bed) error {
	f, err := os.Open(b.path(bigName))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	blocks, err := countBlocks(f)
	if err != nil {
		return err
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(blocks*block), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	var sum byte
	for i := 0; i < len(data); i += block {
		sum += data[i]
	}
	touched.Store(uint32(sum))
	return unix.Munmap(data)
}

// touched takes what was read, so that no compiler can leave reading out.
var touched atomic.Uint32

func hotOpen(b *Bed) error {
	path, err := b.hotFile()
	if err != nil {
		return err
	}
	buf := make([]byte, block)
	for range b.size("hot") {
		if err := openReadClose(path, buf); err != nil {
			return err
		}
	}
	return nil
}

// hotFile is a small file some directories deep.
func (b *Bed) hotFile() (string, error) {
	files, err := b.smallFiles(200)
	if err != nil {
		return "", err
	}
	for _, path := range files {
		if rel, _ := filepath.Rel(b.root, path); strings.Count(rel, "/") >= 2 {
			return path, nil
		}
	}
	if len(files) == 0 {
		return "", fmt.Errorf("the lower tree has no small file")
	}
	return files[0], nil
}

// openReadClose uses system calls alone: the runtime's poller isn't measured.
func openReadClose(path string, buf []byte) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		_, err = unix.Read(fd, buf)
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	return err
}
