package fstest

import (
	"os"

	"golang.org/x/sys/unix"
)

// linkChecks: one object is one inode, by every name and for ever.
var linkChecks = []check{
	{name: "links/one-file-across-copyup-and-remount", run: func(e *env) {
		e.do(Op{Kind: Write, Path: "name1", Data: "LINK"}, Op{Kind: Read, Path: "name2"}, Op{Kind: Stat, Path: "name2"},
			Op{Kind: Remount}, Op{Kind: Read, Path: "name2"}, Op{Kind: Append, Path: "name2", Data: "+"}, Op{Kind: Read, Path: "name1"},
			Op{Kind: Chmod, Path: "name1", Mode: 0o600}, Op{Kind: Stat, Path: "name2"}, Op{Kind: Link, Path: "name2", To: "both/name3"},
			Op{Kind: Unlink, Path: "name1"}, Op{Kind: Stat, Path: "name2"}, Op{Kind: Remount}, Op{Kind: Stat, Path: "both/name3"},
			Op{Kind: Rename, Path: "high", To: "name2"}, Op{Kind: Stat, Path: "both/name3"})
		e.agree()
	}},
	{name: "links/of-symlinks-and-pipes", layers: Layers{Lower: []string{"symlink s -> to\nhardlink s2 = s\nhardlink s3 = s\nfifo p 0622\nhardlink p2 = p"}}, run: linksOfSpecials},
	{name: "links/same-inode-by-both-names", run: func(e *env) {
		e.sameInode("name1", "name2")
		e.must(unix.Chmod(e.p("name2"), 0o600))
		e.sameInode("name1", "name2")
		e.m.Remount(e)
		e.sameInode("name1", "name2")
	}},
	{name: "links/nlink-of-directories-counts", kernel: "a merged directory says 1", run: func(e *env) {
		e.do(Op{Kind: Stat, Path: "both"}, Op{Kind: Stat, Path: "deep"}, Op{Kind: Rename, Path: "deep/er", To: "both/er"},
			Op{Kind: Stat, Path: "both"}, Op{Kind: Stat, Path: "deep"}, Op{Kind: Mkdir, Path: "both/m", Mode: 0o755}, Op{Kind: Stat, Path: "both"},
			Op{Kind: Rmdir, Path: "both/m"}, Op{Kind: Stat, Path: "both"}, Op{Kind: Stat, Path: "."})
		e.agree()
	}},
	{name: "links/replaced-file-loses-a-link", run: func(e *env) {
		e.do(Op{Kind: Hold, Path: "name1"}, Op{Kind: Rename, Path: "high", To: "name1"}, Op{Kind: HeldStat},
			Op{Kind: Rename, Path: "low", To: "name2"}, Op{Kind: HeldStat}, Op{Kind: HeldRead})
		e.agree()
	}},
	{name: "ino/stable-across-copyup-rename-remount", run: func(e *env) {
		for _, p := range []string{"low", "both", "both/bottom", "deep", "sym", "pipe", "both/shared"} {
			e.stableInode(p)
		}
	}},
	{name: "ino/equals-d_ino-and-unique", run: func(e *env) {
		e.must(unix.Chmod(e.p("low"), 0o600))
		e.must(unix.Chmod(e.p("both/bottom"), 0o600))
		e.write("both/new", "x")
		for _, dir := range []string{".", "both", "deep", "deep/er"} {
			e.direntInodes(dir)
		}
	}},
	{name: "ino/dot-and-dotdot", run: func(e *env) {
		f := e.open("deep/er", os.O_RDONLY)
		entries, err := ReadDirents(int(f.Fd()), 4096, -1)
		e.must(err)
		want := map[string]uint64{".": e.lstat("deep/er").Ino, "..": e.lstat("deep").Ino}
		seen := 0
		for _, d := range entries {
			if ino, ok := want[d.Name]; ok {
				seen++
				if d.Ino != ino {
					e.Errorf("%s has d_ino %d, st_ino is %d", d.Name, d.Ino, ino)
				}
			}
		}
		if seen != 2 {
			e.Errorf("listing holds %d of . and ..", seen)
		}
		e.close(f)
	}},
	{name: "ino/one-device", run: func(e *env) {
		root := e.lstat(".")
		for _, p := range []string{"low", "both", "both/top", "deep", "sym", "pipe"} {
			if st := e.lstat(p); st.Dev != root.Dev {
				e.Errorf("%s is on device %#x, the root on %#x", p, st.Dev, root.Dev)
			}
		}
	}},
}

// linksOfSpecials: those carry no extended attributes of users, so that what an
// overlay has to remember of them stands elsewhere.
func linksOfSpecials(e *env) {
	e.sameInode("p", "p2")
	e.do(Op{Kind: Link, Path: "s", To: "s4"}, Op{Kind: Stat, Path: "s2"}, Op{Kind: Chmod, Path: "p", Mode: 0o640},
		Op{Kind: Stat, Path: "p2"}, Op{Kind: Remount}, Op{Kind: Stat, Path: "s3"}, Op{Kind: Stat, Path: "p2"},
		Op{Kind: Unlink, Path: "s2"}, Op{Kind: Stat, Path: "s"}, Op{Kind: Rename, Path: "p2", To: "q"}, Op{Kind: Remount},
		Op{Kind: Stat, Path: "s4"}, Op{Kind: Stat, Path: "q"}, Op{Kind: Unlink, Path: "s"}, Op{Kind: Unlink, Path: "s3"},
		Op{Kind: Stat, Path: "s4"}, Op{Kind: Unlink, Path: "p"}, Op{Kind: Stat, Path: "q"})
	e.agree()
}

func (e *env) sameInode(a, b string) {
	e.Helper()
	if x, y := e.lstat(a), e.lstat(b); x.Ino != y.Ino || x.Dev != y.Dev || x.Nlink != 2 || y.Nlink != 2 {
		e.Errorf("%s is %d (nlink %d), %s is %d (nlink %d)", a, x.Ino, x.Nlink, b, y.Ino, y.Nlink)
	}
}

func (e *env) stableInode(p string) {
	e.Helper()
	want := e.lstat(p).Ino
	same := func(p, when string) {
		e.Helper()
		if got := e.lstat(p).Ino; got != want {
			e.Errorf("%s: st_ino %d %s, was %d", p, got, when, want)
		}
	}
	e.must(unix.Lchown(e.p(p), unix.Getuid(), unix.Getgid()))
	same(p, "after copy-up")
	e.m.Remount(e)
	same(p, "after a remount")
	e.must(unix.Rename(e.p(p), e.p("moved")))
	same("moved", "after rename")
	e.m.Remount(e)
	same("moved", "after rename and remount")
	e.must(unix.Rename(e.p("moved"), e.p(p)))
	same(p, "after the way back")
}

// direntInodes compares the listing with lstat, and looks for numbers that two
// different objects share.
func (e *env) direntInodes(dir string) {
	e.Helper()
	f := e.open(dir, os.O_RDONLY)
	defer e.close(f)
	entries, err := ReadDirents(int(f.Fd()), 4096, -1)
	e.must(err)
	owner := map[uint64]string{}
	for _, d := range entries {
		if d.Name == "." || d.Name == ".." {
			continue
		}
		st := e.lstat(dir + "/" + d.Name)
		if d.Ino != st.Ino {
			e.Errorf("%s/%s: d_ino %d, st_ino %d", dir, d.Name, d.Ino, st.Ino)
		}
		if other, taken := owner[d.Ino]; taken && (st.Nlink < 2 || isDir(st.Mode)) {
			e.Errorf("%s/%s and %s share inode %d", dir, d.Name, other, d.Ino)
		}
		owner[d.Ino] = d.Name
	}
}
