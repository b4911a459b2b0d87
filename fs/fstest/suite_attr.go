package fstest

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// attrChecks: times and extended attributes.
var attrChecks = []check{
	{name: "times/before-1970-and-after-2106", layers: Layers{Lower: []string{
		"file old mtime=-1000000000.123456789\nfile new mtime=5000000000.000000001\nfile f"}},
		run: func(e *env) {
			for p, sec := range map[string]int64{"old": -1000000000, "new": 5000000000} {
				if st := e.lstat(p); st.Mtim.Sec != sec {
					e.Errorf("%s: mtime %d, want %d", p, st.Mtim.Sec, sec)
				}
				e.must(unix.Chmod(e.p(p), 0o600))
			}
			e.do(Op{Kind: Utimes, Path: "f", Off: -2, Len: 999999999})
			e.must(setMtime(e.p("f"), Stamp{Sec: 6000000000, Nsec: 3}))
			e.m.Remount(e)
			if st := e.lstat("f"); st.Mtim != (unix.Timespec{Sec: 6000000000, Nsec: 3}) {
				e.Errorf("mtime %v", st.Mtim)
			}
		}},
	{name: "times/omit-and-now", run: omitAndNow},
	{name: "times/change-time-moves", run: func(e *env) {
		before := e.lstat("low").Ctim
		time.Sleep(20 * time.Millisecond) // longer than a tick of the file system's clock
		e.must(unix.Chmod(e.p("low"), 0o600))
		mid := e.lstat("low")
		if mid.Ctim == before {
			e.Error("chmod left ctime")
		}
		time.Sleep(20 * time.Millisecond)
		e.must(unix.Link(e.p("low"), e.p("low2")))
		if e.lstat("low").Ctim == mid.Ctim {
			e.Error("link left ctime")
		}
	}},
	{name: "times/parents", run: func(e *env) {
		for _, op := range []Op{{Kind: Create, Path: "deep/x", Mode: 0o644}, {Kind: Unlink, Path: "deep/x"}, {Kind: Rename, Path: "low", To: "deep/low"},
			{Kind: Unlink, Path: "deep/low"}, {Kind: Mkdir, Path: "deep/d", Mode: 0o755}, {Kind: Rmdir, Path: "deep/d"}} {
			e.must(setMtime(e.p("deep"), Stamp{Sec: 1}))
			e.do(op)
			if e.lstat("deep").Mtim.Sec == 1 {
				e.Errorf("%s left the directory's mtime", op)
			}
		}
	}},
	{name: "xattr/user", run: func(e *env) {
		long := strings.Repeat("v", 2000)
		e.do(Op{Kind: Setxattr, Path: "low", Name: "user.long", Data: long}, Op{Kind: Getxattr, Path: "low", Name: "user.long"},
			Op{Kind: Setxattr, Path: "low", Name: "user.empty"}, Op{Kind: Getxattr, Path: "low", Name: "user.empty"},
			Op{Kind: Setxattr, Path: "both", Name: "user.d", Data: "1"}, Op{Kind: Listxattr, Path: "low"}, Op{Kind: Listxattr, Path: "both"},
			Op{Kind: Removexattr, Path: "low", Name: "user.note"}, Op{Kind: Remount}, Op{Kind: Listxattr, Path: "low"}, Op{Kind: Listxattr, Path: "sym"})
		_, err := unix.Lgetxattr(e.p("low"), "user.long", make([]byte, 10))
		e.want("short buffer", err, unix.ERANGE)
		n, err := unix.Lgetxattr(e.p("low"), "user.long", nil)
		if err != nil || n != 2000 {
			e.Errorf("size of a value: %d %v", n, err)
		}
		e.want("name too long", unix.Lsetxattr(e.p("low"), "user."+strings.Repeat("n", 251), nil, 0), unix.ERANGE)
		e.agree()
	}},
	{name: "xattr/trusted", who: root, run: func(e *env) {
		e.do(Op{Kind: Setxattr, Path: "low", Name: "trusted.t", Data: "1"}, Op{Kind: Setxattr, Path: "sym", Name: "trusted.s", Data: "2"},
			Op{Kind: Setxattr, Path: "pipe", Name: "trusted.p", Data: "3"}, Op{Kind: Remount}, Op{Kind: Getxattr, Path: "sym", Name: "trusted.s"},
			Op{Kind: Listxattr, Path: "pipe"})
		e.agree()
	}},
	{name: "xattr/private-names-hidden", run: func(e *env) {
		e.must(unix.Rename(e.p("deep"), e.p("moved")))
		e.must(unix.Chmod(e.p("low"), 0o600))
		e.must(unix.Mkdir(e.p("both/gone"), 0o755))
		for _, p := range []string{"moved", "low", "cut", "both/gone", "both", "."} {
			names, err := listXattr(e.p(p))
			e.must(err)
			for _, name := range names {
				if isPrivate(name) {
					e.Errorf("%s shows %s", p, name)
				}
			}
		}
	}},
	{name: "xattr/private-names-escaped", who: root, run: func(e *env) {
		e.must(unix.Lsetxattr(e.p("low"), "trusted.overlay.opaque", []byte("y"), 0))
		e.must(unix.Lsetxattr(e.p("empty"), "trusted.overlay.opaque", []byte("y"), 0))
		if v, err := getXattr(e.p("empty"), "trusted.overlay.opaque"); err != nil || v != "y" {
			e.Errorf("a nested overlay's xattr: %q %v", v, err)
		}
		if v, err := getXattr(e.upper("empty"), "trusted.overlay.overlay.opaque"); err != nil || v != "y" {
			e.Errorf("not escaped in upper: %q %v", v, err)
		}
		e.must(unix.Lremovexattr(e.p("empty"), "trusted.overlay.opaque"))
		e.m.Remount(e)
		if v, err := getXattr(e.p("low"), "trusted.overlay.opaque"); err != nil || v != "y" {
			e.Errorf("after a remount: %q %v", v, err)
		}
	}},
}

// omitAndNow keeps UTIME_OMIT and UTIME_NOW apart (utimensat(2)).
func omitAndNow(e *env) {
	set := func(atime, mtime unix.Timespec) unix.Stat_t {
		e.Helper()
		e.must(unix.UtimesNanoAt(unix.AT_FDCWD, e.p("low"), []unix.Timespec{atime, mtime}, 0))
		return e.lstat("low")
	}
	omit, now := unix.Timespec{Nsec: unix.UTIME_OMIT}, unix.Timespec{Nsec: unix.UTIME_NOW}
	st := set(unix.Timespec{Sec: 11, Nsec: 1}, unix.Timespec{Sec: 22, Nsec: 2})
	if st.Atim != (unix.Timespec{Sec: 11, Nsec: 1}) || st.Mtim != (unix.Timespec{Sec: 22, Nsec: 2}) {
		e.Errorf("both set: %v %v", st.Atim, st.Mtim)
	}
	if st = set(omit, unix.Timespec{Sec: 33}); st.Atim.Sec != 11 || st.Mtim.Sec != 33 {
		e.Errorf("atime omitted: %v %v", st.Atim, st.Mtim)
	}
	if st = set(now, omit); st.Mtim.Sec != 33 || time.Since(time.Unix(st.Atim.Sec, 0)) > time.Minute {
		e.Errorf("atime now, mtime omitted: %v %v", st.Atim, st.Mtim)
	}
	if st = set(unix.Timespec{Sec: 44}, now); st.Atim.Sec != 44 || time.Since(time.Unix(st.Mtim.Sec, 0)) > time.Minute {
		e.Errorf("mtime now: %v %v", st.Atim, st.Mtim)
	}
}
