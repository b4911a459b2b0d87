package union

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// benchFiles is how many files of 4 KiB the directory d of the lower layer has.
const benchFiles = 1000

func benchRig(b *testing.B) (r *rig, d *Inode) {
	b.Helper()
	var text strings.Builder
	text.WriteString("dir d\n")
	for i := range benchFiles {
		fmt.Fprintf(&text, "file %s %q\n", filepath.Join("d", benchName(i)), strings.Repeat("x", 4096))
	}
	r = rigUp(b, fstest.Layers{Lower: []string{text.String()}})
	return r, r.get("d")
}

func benchName(i int) string { return fmt.Sprintf("file%04d", i) }

// BenchmarkLookup finds names of which the kernel forgot the inode.
func BenchmarkLookup(b *testing.B) {
	r, d := benchRig(b)
	var names []string
	for i := range benchFiles {
		names = append(names, benchName(i))
	}
	b.ReportAllocs()
	var attr Attr
	for i := 0; b.Loop(); i++ {
		n, err := r.u.Lookup(d, names[i%benchFiles], &attr)
		if err != nil {
			b.Fatal(err)
		}
		r.u.Forget(n, 1)
	}
}

// BenchmarkLookupKnown finds a name whose inode is there.
func BenchmarkLookupKnown(b *testing.B) {
	r, d := benchRig(b)
	r.get("d/" + benchName(1))
	b.ReportAllocs()
	var attr Attr
	for b.Loop() {
		n, err := r.u.Lookup(d, "file0001", &attr)
		if err != nil {
			b.Fatal(err)
		}
		r.u.Forget(n, 1)
	}
}

func BenchmarkLookupAbsent(b *testing.B) {
	r, d := benchRig(b)
	b.ReportAllocs()
	var attr Attr
	for b.Loop() {
		if _, err := r.u.Lookup(d, "absent", &attr); err != unix.ENOENT {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetAttr(b *testing.B) {
	r, _ := benchRig(b)
	n := r.get("d/" + benchName(1))
	b.ReportAllocs()
	var attr Attr
	for b.Loop() {
		if err := r.u.GetAttr(n, &attr); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReadDir lists a directory of a thousand files, with and without
// their attributes.
func BenchmarkReadDir(b *testing.B) {
	for _, plus := range []bool{false, true} {
		b.Run(fmt.Sprintf("plus=%v", plus), func(b *testing.B) {
			r, d := benchRig(b)
			b.ReportAllocs()
			for b.Loop() {
				count := 0
				var nodes []*Inode
				err := r.u.ReadDir(d, 0, plus, func(e *DirEntry) bool {
					count++
					if e.Inode != nil {
						nodes = append(nodes, e.Inode)
					}
					return true
				})
				if err != nil || count != benchFiles+2 {
					b.Fatal(count, err)
				}
				for _, n := range nodes {
					r.u.Forget(n, 1)
				}
			}
		})
	}
}

// BenchmarkRead reads files whose descriptors are kept.
func BenchmarkRead(b *testing.B) {
	r, _ := benchRig(b)
	n := r.get("d/" + benchName(1))
	b.ReportAllocs()
	buf := make([]byte, 4096)
	for b.Loop() {
		if got, err := r.u.Read(n, buf, 0); err != nil || got != 4096 {
			b.Fatal(got, err)
		}
	}
}

// BenchmarkOpenRead finds and reads files that were forgotten: each is opened
// below.
func BenchmarkOpenRead(b *testing.B) {
	r, d := benchRig(b)
	b.ReportAllocs()
	buf := make([]byte, 4096)
	var attr Attr
	for b.Loop() {
		n, err := r.u.Lookup(d, "file0001", &attr)
		if err != nil {
			b.Fatal(err)
		}
		if got, err := r.u.Read(n, buf, 0); err != nil || got != 4096 {
			b.Fatal(got, err)
		}
		r.u.Forget(n, 1)
	}
}

// BenchmarkCopyUp writes to lower files of 4 KiB that were not copied before.
func BenchmarkCopyUp(b *testing.B) {
	r, _ := benchRig(b)
	b.ReportAllocs()
	data := []byte("y")
	for i := 0; b.Loop(); i++ {
		if i > 0 && i%benchFiles == 0 {
			b.StopTimer()
			r.emptyUpper()
			b.StartTimer()
		}
		n := r.get("d/" + benchName(i%benchFiles))
		if _, err := r.u.Write(n, data, 0, WriteMode{}); err != nil {
			b.Fatal(err)
		}
		r.put(n)
	}
}

// emptyUpper begins again with lower layers alone.
func (r *rig) emptyUpper() {
	r.close()
	for _, dir := range []string{r.dirs.Upper, r.dirs.Work} {
		entries, err := os.ReadDir(dir)
		r.must(err)
		for _, entry := range entries {
			r.must(os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	r.open()
}
