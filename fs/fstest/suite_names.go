package fstest

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	name255 = strings.Repeat("n", 255)
	name256 = strings.Repeat("n", 256)
)

// nameChecks: names and paths at their limits, and the errno of wrong ones.
var nameChecks = []check{
	{name: "names/255-and-256", layers: Layers{Lower: []string{"file " + name255 + ` "long"`, "dir d"}}, run: func(e *env) {
		e.content(name255, "long")
		e.do(Op{Kind: Rename, Path: name255, To: "d/" + name255}, Op{Kind: Mkdir, Path: name255, Mode: 0o755},
			Op{Kind: Rmdir, Path: name255}, Op{Kind: Unlink, Path: "d/" + name255})
		for what, err := range map[string]error{
			"lstat":   unix.Lstat(e.p(name256), &unix.Stat_t{}),
			"mkdir":   unix.Mkdir(e.p(name256), 0o755),
			"symlink": unix.Symlink("x", e.p(name256)),
			"unlink":  unix.Unlink(e.p("d/" + name256)),
			"link":    unix.Link(e.p("d"), e.p(name256)),
			"mknod":   unix.Mknod(e.p(name256), unix.S_IFIFO, 0),
		} {
			e.want(what, err, unix.ENAMETOOLONG)
		}
		e.want("rename", unix.Rename(e.p("d"), e.p(name256)), unix.ENAMETOOLONG)
		e.agree()
	}},
	{name: "names/not-utf8", layers: Layers{Lower: []string{`file \xff\xfe/\x80 "bytes"` + "\n" + `file tab\x09nl\x0a "t"`, ""}}, run: func(e *env) {
		e.content("\xff\xfe/\x80", "bytes")
		e.content("tab\tnl\n", "t")
		e.do(Op{Kind: Rename, Path: "\xff\xfe", To: "\xc0"}, Op{Kind: Create, Path: "\xc0/\xff \x01", Mode: 0o644, Data: "x"},
			Op{Kind: Unlink, Path: "tab\tnl\n"}, Op{Kind: Symlink, Path: "\x7f", To: "\xff"}, Op{Kind: Readdir, Path: "\xc0"})
		e.agree()
	}},
	{name: "names/dots-and-odd-ones", run: func(e *env) {
		for _, name := range []string{"...", "..x", " ", "\\", ":", ",", "a:b,c", ".go-fuse-epoll-hack", "#1", "index", "work"} {
			e.do(Op{Kind: Create, Path: name, Mode: 0o644, Data: name}, Op{Kind: Stat, Path: name})
		}
		e.agree()
	}},
	{name: "names/path-max", layers: Layers{Lower: []string{"file " + strings.Repeat(strings.Repeat("p", 200)+"/", 8) + `f "far"`}}, run: pathMax},
	{name: "names/errno", run: func(e *env) {
		e.do(Op{Kind: Mkdir, Path: "both"}, Op{Kind: Mkdir, Path: "low/x"}, Op{Kind: Mkdir, Path: "no/x"}, Op{Kind: Mkdir, Path: "both/gone/x"},
			Op{Kind: Rmdir, Path: "low"}, Op{Kind: Rmdir, Path: "both"}, Op{Kind: Rmdir, Path: "no"}, Op{Kind: Rmdir, Path: "deep"},
			Op{Kind: Unlink, Path: "both"}, Op{Kind: Unlink, Path: "empty"}, Op{Kind: Unlink, Path: "both/gone"}, Op{Kind: Unlink, Path: "low/x"},
			Op{Kind: Link, Path: "both", To: "x"}, Op{Kind: Link, Path: "low", To: "high"}, Op{Kind: Link, Path: "no", To: "x"},
			Op{Kind: Link, Path: "low", To: "no/x"}, Op{Kind: Create, Path: "sym", Mode: 0o644}, Op{Kind: Create, Path: "low", Mode: 0o644},
			Op{Kind: Write, Path: "both", Data: "x"}, Op{Kind: Write, Path: "sym", Data: "x"}, Op{Kind: Read, Path: "both"},
			Op{Kind: Truncate, Path: "both"}, Op{Kind: Truncate, Path: "pipe"}, Op{Kind: Readdir, Path: "low"}, Op{Kind: Readlink, Path: "low"},
			Op{Kind: Rename, Path: "both", To: "low"}, Op{Kind: Rename, Path: "low", To: "both"}, Op{Kind: Rename, Path: "empty", To: "both"},
			Op{Kind: Rename, Path: "no", To: "low"}, Op{Kind: Rename, Path: "low", To: "low/x"},
			Op{Kind: Rename, Path: "low", To: "no", Flags: unix.RENAME_EXCHANGE}, Op{Kind: Rename, Path: "low", To: "high", Flags: unix.RENAME_NOREPLACE},
			Op{Kind: Getxattr, Path: "low", Name: "user.none"}, Op{Kind: Removexattr, Path: "low", Name: "user.none"},
			Op{Kind: Setxattr, Path: "sym", Name: "user.x", Data: "1"}, Op{Kind: Setxattr, Path: "pipe", Name: "user.x", Data: "1"},
			Op{Kind: Setxattr, Path: "low", Name: "user.note", Data: "1", Flags: unix.XATTR_CREATE},
			Op{Kind: Setxattr, Path: "low", Name: "user.none", Data: "1", Flags: unix.XATTR_REPLACE})
		e.want("rename flags", unix.Renameat2(unix.AT_FDCWD, e.p("low"), unix.AT_FDCWD, e.p("x"), unix.RENAME_NOREPLACE|unix.RENAME_EXCHANGE), unix.EINVAL)
		e.want("rename across mounts", unix.Rename(e.p("low"), e.TempDir()+"/x"), unix.EXDEV)
		e.want("rename of a mount", unix.Rename(e.m.Root(), e.m.Root()+"x"), unix.EBUSY)
		e.want("rmdir of a mount", unix.Rmdir(e.m.Root()), unix.EBUSY)
		e.agree()
	}},
}

// pathMax reaches PATH_MAX-1 bytes by a path relative to the root of the mount:
// every call that the file system makes below has to be relative too, or the
// layer's own path comes on top.
func pathMax(e *env) {
	root := e.open(".", os.O_RDONLY)
	dir := strings.Repeat(strings.Repeat("p", 200)+"/", 8)
	for unix.PathMax-1-len(dir) > 255 {
		dir += strings.Repeat("q", 199) + "/"
		e.must(unix.Mkdirat(int(root.Fd()), dir, 0o755))
	}
	path := dir + strings.Repeat("x", unix.PathMax-1-len(dir))
	fd, err := unix.Openat(int(root.Fd()), path, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	e.must(err)
	e.must(pwriteAll(fd, "far away", 0))
	e.must(unix.Close(fd))
	var st unix.Stat_t
	e.must(unix.Fstatat(int(root.Fd()), path, &st, 0))
	e.must(unix.Fchmodat(int(root.Fd()), path, 0o600, 0))
	e.want("one byte more", unix.Fstatat(int(root.Fd()), path+"x", &st, 0), unix.ENAMETOOLONG)
	far := strings.Repeat(strings.Repeat("p", 200)+"/", 8) + "f"
	e.must(unix.Fchmodat(int(root.Fd()), far, 0o600, 0))
	e.content(far, "far")
	e.must(unix.Unlinkat(int(root.Fd()), path, 0))
	e.want("after unlink", unix.Fstatat(int(root.Fd()), path, &st, 0), unix.ENOENT)
	e.close(root)
	e.must(unix.Rename(e.p(strings.Repeat("p", 200)), e.p("moved")))
}
