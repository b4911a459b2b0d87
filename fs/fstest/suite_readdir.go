package fstest

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// readdirChecks: directories stay readable while they change (POSIX readdir():
// what is neither added nor removed is returned exactly once).
var readdirChecks = []check{
	{name: "readdir/while-deleting", layers: wide(), run: func(e *env) {
		f := e.open("w", os.O_RDONLY)
		seen := map[string]int{}
		for n := 0; ; n++ {
			entries, err := ReadDirents(int(f.Fd()), 1024, 1)
			e.must(err)
			if len(entries) == 0 {
				break
			}
			for _, d := range entries {
				seen[d.Name]++
				if strings.HasPrefix(d.Name, "x") { // as rm -r does: what was just listed goes
					e.must(unix.Unlink(e.p("w/" + d.Name)))
				}
			}
			e.write(fmt.Sprintf("w/new%d", n), "")
			e.must(unix.Rename(e.p(fmt.Sprintf("w/new%d", n)), e.p(fmt.Sprintf("w/newer%d", n))))
		}
		e.close(f)
		e.eachOnce(seen)
	}},
	{name: "readdir/seek", layers: wide(), run: func(e *env) {
		f := e.open("w", os.O_RDONLY)
		all, err := ReadDirents(int(f.Fd()), 2048, -1)
		e.must(err)
		for _, i := range []int{0, 1, len(all) / 2, len(all) - 2, 3} {
			_, err := unix.Seek(int(f.Fd()), all[i].Off, unix.SEEK_SET)
			e.must(err)
			rest, err := ReadDirents(int(f.Fd()), 2048, -1)
			e.must(err)
			if len(rest) != len(all)-i-1 || rest[0].Name != all[i+1].Name {
				e.Errorf("from cookie %d: %d entries beginning with %q, want %d with %q", i, len(rest), rest[0].Name, len(all)-i-1, all[i+1].Name)
			}
		}
		e.close(f)
	}},
	{name: "readdir/rewind-shows-changes", run: func(e *env) {
		e.do(Op{Kind: Hold, Path: "both", Flags: unix.O_RDONLY}, Op{Kind: HeldReaddir}, Op{Kind: Create, Path: "both/later", Mode: 0o644},
			Op{Kind: Unlink, Path: "both/bottom"}, Op{Kind: HeldReaddir}, Op{Kind: Rename, Path: "both", To: "other"}, Op{Kind: HeldReaddir},
			Op{Kind: Unlink, Path: "other/top"}, Op{Kind: HeldReaddir})
		e.agree()
	}},
	{name: "readdir/removed-and-made-again-while-open", layers: wide(), run: func(e *env) {
		f := e.open("w", os.O_RDONLY)
		first, err := ReadDirents(int(f.Fd()), 512, 1)
		e.must(err)
		seen := map[string]int{}
		for _, d := range first {
			seen[d.Name]++
		}
		for i := range 50 {
			e.must(unix.Unlink(e.p(fmt.Sprintf("w/x%03d", i*4))))
			e.write(fmt.Sprintf("w/x%03d", i*4), "again")
		}
		rest, err := ReadDirents(int(f.Fd()), 512, -1)
		e.must(err)
		for _, d := range rest {
			seen[d.Name]++
		}
		e.close(f)
		e.eachOnce(seen)
	}},
	{name: "readdir/types", run: func(e *env) {
		e.names(".", "- high\n- low\n- name1\n- name2\nd both\nd cut\nd deep\nd empty\nl sym\np pipe\ns socket")
	}},
	{name: "readdir/remove-all", layers: wide(), run: func(e *env) {
		e.must(os.RemoveAll(e.p("w")))
		e.absent("w")
		e.must(unix.Mkdir(e.p("w"), 0o755))
		e.names("w", "")
	}},
}

// wide is a directory of 400 entries over three layers: s… stay, x… go.
func wide() Layers {
	var parts [2]strings.Builder
	for i := range 200 {
		fmt.Fprintf(&parts[i%2], "file w/x%03d\nfile w/s%03d-%s\n", i, i, strings.Repeat("n", i%50))
	}
	return Layers{Lower: []string{parts[0].String(), parts[1].String() + "file w/x000 \"both\"\n"}}
}

// eachOnce looks at the entries that nobody touched.
func (e *env) eachOnce(seen map[string]int) {
	e.Helper()
	stable := 0
	for name, times := range seen {
		if strings.HasPrefix(name, "s") {
			stable++
		}
		if times != 1 && strings.HasPrefix(name, "s") {
			e.Errorf("%s was listed %d times", name, times)
		}
	}
	if stable != 200 {
		e.Errorf("%d of 200 stable entries were listed", stable)
	}
}
