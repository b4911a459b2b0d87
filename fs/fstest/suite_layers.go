package fstest

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

const formatReason = "reads its own whiteout formats alone"

// layerChecks: whiteouts and opaque directories, read and written.
var layerChecks = []check{
	{name: "layers/merge", run: func(e *env) {
		e.names("both", "- bottom\n- shared\n- top")
		e.names("cut", "- new")
		e.content("both/shared", "from top")
		e.absent("both/gone")
		e.absent("cut/old")
		e.names("deep/er/est", "- f")
	}},
	{name: "layers/whiteout-overlay", layers: hiding("overlay"), run: hidden},
	{name: "layers/whiteout-xattr", layers: hiding("xattr"), run: hidden},
	{name: "layers/whiteout-aufs", kernel: formatReason, layers: hiding("aufs"), run: hidden},
	{name: "layers/opaque-fuseoverlayfs", kernel: formatReason, layers: Layers{Lower: []string{
		"opaque d fuseoverlayfs\nfile d/new", "file d/old"}},
		run: func(e *env) { e.names("d", "- new"); e.absent("d/old") }},
	{name: "layers/whiteout-stray", kernel: "lists a whiteout of a directory that one layer alone makes", layers: Layers{
		Lower: []string{"whiteout d/x\nwhiteout y\nfile d/f"}},
		run: func(e *env) { e.names("d", "- f"); e.absent("d/x"); e.absent("y") }},
	{name: "layers/file-hides-directory", layers: Layers{Lower: []string{"file x \"f\"", "file x/y", "file x/z"}},
		run: func(e *env) {
			e.content("x", "f")
			e.do(Op{Kind: Unlink, Path: "x"}, Op{Kind: Mkdir, Path: "x", Mode: 0o755}, Op{Kind: Readdir, Path: "x"})
			e.agree()
		}},
	{name: "layers/directory-hides-file", layers: Layers{Lower: []string{"file x/y", "file x \"f\"", "file x/z"}},
		run: func(e *env) { e.names("x", "- y"); e.absent("x/z") }},
	{name: "layers/whiteout-written-where-needed", run: whiteoutsWritten},
	{name: "layers/create-over-whiteout", run: func(e *env) {
		e.do(Op{Kind: Unlink, Path: "low"}, Op{Kind: Create, Path: "low", Mode: 0o600, Data: "again"},
			Op{Kind: Create, Path: "both/gone", Mode: 0o600, Data: "back"},
			Op{Kind: Unlink, Path: "both/bottom"}, Op{Kind: Symlink, Path: "both/bottom", To: "x"},
			Op{Kind: Unlink, Path: "both/gone"}, Op{Kind: Stat, Path: "both/gone"},
			Op{Kind: Unlink, Path: "both/shared"}, Op{Kind: Link, Path: "low", To: "both/shared"})
		e.agree()
	}},
	{name: "layers/mkdir-over-whiteout", run: func(e *env) {
		e.do(Op{Kind: Unlink, Path: "both/top"}, Op{Kind: Unlink, Path: "both/bottom"}, Op{Kind: Unlink, Path: "both/shared"},
			Op{Kind: Rmdir, Path: "both"}, Op{Kind: Mkdir, Path: "both", Mode: 0o700}, Op{Kind: Readdir, Path: "both"},
			Op{Kind: Stat, Path: "both/bottom"}, Op{Kind: Remount}, Op{Kind: Readdir, Path: "both"})
		e.agree()
	}},
	{name: "layers/whiteout-names-usable",
		run: whNames},
	{name: "layers/no-real-whiteout-through-the-mount", who: root, run: func(e *env) {
		e.want("mknod char 0:0", unix.Mknod(e.p("wh"), unix.S_IFCHR|0o600, 0), unix.EPERM)
		e.want("rename WHITEOUT", unix.Renameat2(unix.AT_FDCWD, e.p("high"), unix.AT_FDCWD, e.p("high2"), unix.RENAME_WHITEOUT), unix.EINVAL)
		e.names("both", "- bottom\n- shared\n- top")
		e.content("high", "high")
		e.absent("wh")
	}},
	{name: "layers/read-only", layers: Layers{ReadOnly: true, Lower: standardLower}, run: func(e *env) {
		e.content("both/shared", "from top")
		e.want("write", unix.Truncate(e.p("low"), 0), unix.EROFS)
		e.want("mkdir", unix.Mkdir(e.p("new"), 0o755), unix.EROFS)
		e.want("mkdir of what exists", unix.Mkdir(e.p("both"), 0o755), unix.EEXIST)
		e.want("unlink", unix.Unlink(e.p("low")), unix.EROFS)
		e.want("chmod", unix.Chmod(e.p("low"), 0o600), unix.EROFS)
	}},
	{name: "layers/300", layers: manyLayers(300), run: func(e *env) {
		for _, i := range []int{0, 1, 150, 299} {
			e.content(fmt.Sprintf("d/f%d", i), fmt.Sprint(i))
		}
		e.content("d/shared", "0")
		e.do(Op{Kind: Write, Path: "d/f299", Data: "x"}, Op{Kind: Rename, Path: "d", To: "moved"}, Op{Kind: Readdir, Path: "moved"})
		e.agree()
	}},
}

// hiding is the same pair of layers with the higher one's format changed.
func hiding(format string) Layers {
	return Layers{Lower: []string{
		"format " + format + "\nwhiteout top\nwhiteout d/x\nfile d/new \"n\"\nwhiteout sub\nopaque o\nfile o/new",
		"file top\nfile d/x\nfile d/y \"y\"\nfile sub/a/b\nfile o/old",
	}}
}

func hidden(e *env) {
	e.absent("top")
	e.absent("d/x")
	e.absent("sub")
	e.names("d", "- new\n- y")
	e.names("o", "- new")
	e.names(".", "d d\nd o")
	e.do(Op{Kind: Create, Path: "top", Mode: 0o600}, Op{Kind: Create, Path: "d/x", Mode: 0o600, Data: "x"},
		Op{Kind: Mkdir, Path: "sub", Mode: 0o755}, Op{Kind: Readdir, Path: "sub"}, Op{Kind: Rename, Path: "d", To: "sub/d"},
		Op{Kind: Readdir, Path: "sub/d"}, Op{Kind: Readdir, Path: "."})
	e.agree()
}

func whiteoutsWritten(e *env) {
	e.write("mine", "x")
	e.must(unix.Unlink(e.p("mine")))
	e.write("both/mine", "x")
	e.must(unix.Unlink(e.p("both/mine")))
	for _, p := range []string{"mine", "both/mine"} {
		if _, err := statAt(e.upper(p)); err != unix.ENOENT {
			e.Errorf("upper holds something at %s where no lower name needs a whiteout: %v", p, err)
		}
	}
	e.must(unix.Unlink(e.p("low")))
	if st, err := statAt(e.upper("low")); err != nil {
		if _, aufs := statAt(e.upper(".wh.low")); aufs != nil {
			e.Errorf("no whiteout of low in upper: %v", err)
		}
	} else if st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev != 0 {
		e.Errorf("whiteout of low is device %#x", st.Rdev)
	}
	e.absent("low")
}

func statAt(path string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	return st, err
}

func whNames(e *env) {
	e.do(Op{Kind: Create, Path: ".wh.foo", Mode: 0o644, Data: "x"}, Op{Kind: Mkdir, Path: "both/.wh.d", Mode: 0o755},
		Op{Kind: Create, Path: "both/.wh.d/.wh.top", Mode: 0o644}, Op{Kind: Rename, Path: "high", To: ".wh.high"},
		Op{Kind: Read, Path: ".wh.high"}, Op{Kind: Link, Path: "low", To: ".wh.low"}, Op{Kind: Readdir, Path: "."},
		Op{Kind: Stat, Path: "low"}, Op{Kind: Unlink, Path: ".wh.foo"}, Op{Kind: Stat, Path: ".wh.foo"})
	e.agree()
}

func manyLayers(n int) Layers {
	var l Layers
	for i := range n {
		l.Lower = append(l.Lower, strings.ReplaceAll("file d/fN \"N\"\nfile d/shared \"N\"", "N", fmt.Sprint(i)))
	}
	return l
}
