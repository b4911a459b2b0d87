package fstest

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// renameChecks: every kind of source onto every kind of target; the model says
// what has to happen.
var renameChecks = []check{
	{name: "rename/matrix", layers: renameLayers(), run: func(e *env) { renameMatrix(e, 0) }},
	{name: "rename/matrix-noreplace", layers: renameLayers(), run: func(e *env) { renameMatrix(e, unix.RENAME_NOREPLACE) }},
	{name: "rename/matrix-exchange", layers: renameLayers(), run: func(e *env) { renameMatrix(e, unix.RENAME_EXCHANGE) }},
	{name: "rename/directory-copies-nothing", layers: Layers{Lower: []string{"random d/s/big 1000000 1"}}, run: func(e *env) {
		e.must(unix.Rename(e.p("d"), e.p("e")))
		if _, err := statAt(e.upper("e/s/big")); err != unix.ENOENT {
			e.Errorf("upper holds e/s/big after a rename of e: %v", err)
		}
		e.content("e/s/big", string(RandomBytes(1000000, 1)))
		e.absent("d")
	}},
	{name: "rename/directory-again-and-again", run: func(e *env) {
		e.do(Op{Kind: Rename, Path: "deep", To: "d2"}, Op{Kind: Rename, Path: "d2/er", To: "both/er"}, Op{Kind: Remount},
			Op{Kind: Rename, Path: "both", To: "d2/b"}, Op{Kind: Create, Path: "d2/b/er/est/new", Mode: 0o644, Data: "n"},
			Op{Kind: Remount}, Op{Kind: Rename, Path: "d2/b/er/est", To: "est"}, Op{Kind: Mkdir, Path: "both", Mode: 0o755},
			Op{Kind: Readdir, Path: "both"}, Op{Kind: Unlink, Path: "est/f"}, Op{Kind: Rename, Path: "d2", To: "deep"},
			Op{Kind: Readdir, Path: "deep/b"}, Op{Kind: Read, Path: "deep/b/bottom"})
		e.agree()
	}},
	{name: "rename/into-own-subtree", run: func(e *env) {
		e.do(Op{Kind: Rename, Path: "deep", To: "deep/er/x"}, Op{Kind: Rename, Path: "deep/er/est", To: "deep"},
			Op{Kind: Rename, Path: "deep", To: "deep/er", Flags: unix.RENAME_EXCHANGE},
			Op{Kind: Rename, Path: "deep/er/est", To: "deep", Flags: unix.RENAME_EXCHANGE})
		e.agree()
	}},
	{name: "rename/onto-another-name-of-itself", run: func(e *env) {
		e.do(Op{Kind: Rename, Path: "name1", To: "name2"}, Op{Kind: Stat, Path: "name1"}, Op{Kind: Stat, Path: "name2"},
			Op{Kind: Rename, Path: "name1", To: "name1"}, Op{Kind: Rename, Path: "name1", To: "name2", Flags: unix.RENAME_NOREPLACE})
		e.agree()
	}},
	{name: "rename/onto-emptied-directory", run: func(e *env) {
		e.do(Op{Kind: Unlink, Path: "both/top"}, Op{Kind: Unlink, Path: "both/bottom"}, Op{Kind: Unlink, Path: "both/shared"},
			Op{Kind: Mkdir, Path: "n", Mode: 0o755}, Op{Kind: Create, Path: "n/x", Mode: 0o644}, Op{Kind: Rename, Path: "n", To: "both"},
			Op{Kind: Readdir, Path: "both"}, Op{Kind: Rename, Path: "deep", To: "empty"}, Op{Kind: Readdir, Path: "empty/er"})
		e.agree()
	}},
	{name: "rename/open-descriptor-follows", run: func(e *env) {
		f := e.open("deep/er/est/f", unix.O_RDWR)
		e.must(unix.Rename(e.p("deep"), e.p("moved")))
		_, err := f.WriteAt([]byte("DE"), 0)
		e.must(err)
		e.close(f)
		e.content("moved/er/est/f", "DEep")
	}},
	{name: "rename/many-remounts-new-upper", run: manyUppers},
}

// renameSources and renameTargets are parts of two layers and an upper: the
// text holds N for the directory of the case.
var renameSources = []struct{ name, lower, upper string }{
	{"lower file", `file N/src 0640 "src"`, ""},
	{"upper file", "", `file N/src 0640 "src"`},
	{"merged file", `file N/src "old"`, `file N/src 0640 "src"`},
	{"lower dir", "dir N/src 0750\nfile N/src/l", ""},
	{"upper dir", "", "dir N/src 0750\nfile N/src/u"},
	{"merged dir", "dir N/src\nfile N/src/l", "dir N/src 0750\nfile N/src/u"},
	{"lower symlink", "symlink N/src -> x", ""},
}

var renameTargets = []struct{ name, lower, upper string }{
	{"absent", "", ""},
	{"whiteout", "dir N/dst\nfile N/dst/hidden", "whiteout N/dst"},
	{"lower file", `file N/dst "dst"`, ""},
	{"upper file", "", `file N/dst "dst"`},
	{"merged file", `file N/dst "old"`, `file N/dst "dst"`},
	{"lower empty dir", "dir N/dst", ""},
	{"upper empty dir", "", "dir N/dst"},
	{"merged emptied dir", "dir N/dst\nfile N/dst/hidden", "dir N/dst\nwhiteout N/dst/hidden"},
	{"opaque dir", "dir N/dst\nfile N/dst/hidden", "opaque N/dst"},
	{"lower full dir", "dir N/dst\nfile N/dst/x", ""},
	{"merged full dir", "dir N/dst\nfile N/dst/x", "dir N/dst\nfile N/dst/y"},
	{"lower fifo", "fifo N/dst", ""},
}

// renameLayers puts every pair in a directory of its own, so that one mount
// serves the whole matrix; each directory stands in both layers.
func renameLayers() Layers {
	var lower, upper strings.Builder
	eachRename(func(dir string, s, d int) {
		put := func(b *strings.Builder, parts ...string) {
			fmt.Fprintf(b, "dir %s\n%s\n", dir, strings.ReplaceAll(strings.Join(parts, "\n"), "N", dir))
		}
		put(&lower, renameSources[s].lower, renameTargets[d].lower)
		put(&upper, renameSources[s].upper, renameTargets[d].upper)
	})
	return Layers{Lower: []string{lower.String(), "dir c0"}, Upper: upper.String()}
}

func eachRename(do func(dir string, source, target int)) {
	for s := range renameSources {
		for d := range renameTargets {
			do(fmt.Sprintf("c%d", s*len(renameTargets)+d), s, d)
		}
	}
}

func renameMatrix(e *env, flags int) {
	e.follow()
	eachRename(func(dir string, s, d int) {
		failed := e.Failed()
		e.do(Op{Kind: Rename, Path: dir + "/src", To: dir + "/dst", Flags: flags}, Op{Kind: Readdir, Path: dir},
			Op{Kind: Readdir, Path: dir + "/dst"}, Op{Kind: Stat, Path: dir + "/src"}, Op{Kind: Stat, Path: dir + "/dst/hidden"},
			Op{Kind: Stat, Path: dir})
		if e.Failed() && !failed {
			e.Logf("%s is %s onto %s", dir, renameSources[s].name, renameTargets[d].name)
		}
	})
	e.agree()
}

// manyUppers turns each upper into the highest lower of the next mount, as
// images grow layer by layer, and moves the tree each time.
func manyUppers(e *env) {
	e.do(Op{Kind: Rename, Path: "deep", To: "r0"})
	for i := range 6 {
		e.m.Unmount(e)
		next := Layers{}.Dirs(e)
		next.Lower = append([]string{e.m.Upper()}, e.m.LowerDirs()...)
		e.m = e.newMount(e.T, Layers{At: &next})
		from, to := fmt.Sprintf("r%d", i), fmt.Sprintf("r%d", i+1)
		if i%2 == 1 {
			to = "both/" + to
		}
		if i > 0 && i%2 == 0 {
			from = "both/" + from
		}
		e.do(Op{Kind: Rename, Path: from, To: to}, Op{Kind: Create, Path: to + fmt.Sprintf("/new%d", i), Mode: 0o644, Data: to},
			Op{Kind: Rename, Path: to + "/er", To: to + "/re"}, Op{Kind: Rename, Path: to + "/re", To: to + "/er"},
			Op{Kind: Readdir, Path: to}, Op{Kind: Read, Path: to + "/er/est/f"})
	}
	e.agree()
}
