package fstest

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// fileCap is CAP_NET_RAW+ep as struct vfs_cap_data, revision 2.
const fileCap = "0s0100000200200000000000000000000000000000"

// aclUser7 lets user 7 read: struct posix_acl_xattr_header (version 2), then
// user::rw-, user:7:r--, group::r--, mask::r--, other::---.
const aclUser7 = "0s02000000" + "01000600ffffffff" + "0200040007000000" + "04000400ffffffff" + "10000400ffffffff" + "20000000ffffffff"

// copyUpChecks: the first change of a lower object takes everything along.
var copyUpChecks = []check{
	{name: "copyup/keeps-mode-times-xattrs", layers: Layers{Lower: []string{
		"file f 0754 \"data\" mtime=1234567890.987654321 user.a=1 user.b=\"\\x00\\xff\"\ndir d 02751 mtime=1.000000001 user.d=d\nfile d/x"}},
		run: func(e *env) { keepsAll(e, "f") }},
	{name: "copyup/keeps-owner-acl-capabilities", who: root, layers: Layers{Lower: []string{
		"file f 0640 \"data\" owner=12:34 system.posix_acl_access=" + aclUser7 + " security.capability=" + fileCap + " trusted.t=t mtime=5.5\n" +
			"file d/x owner=56:78\nowner d 9:10"}},
		run: func(e *env) { keepsAll(e, "f") }},
	{name: "copyup/keeps-type", run: func(e *env) { keepsType(e, "pipe", "socket", "sym") }},
	{name: "copyup/keeps-type-of-devices", who: root, layers: Layers{Lower: []string{
		"char null 1 3 0622\nblock blk 240 7 0600\nchar nodriver 250 250 0600\nfifo pipe"}},
		run: func(e *env) {
			keepsType(e, "null", "blk", "nodriver")
			e.must(unix.Unlink(e.p("nodriver")))
			e.absent("nodriver")
		}},
	{name: "copyup/keeps-holes", layers: sparseLayers(), run: func(e *env) {
		f := e.open("s", os.O_RDWR)
		_, err := f.WriteAt([]byte("!"), 3<<20)
		e.must(err)
		e.must(f.Sync())
		e.close(f)
		e.blocksBelow("s", 4096)
		if st := e.lstat("s"); st.Size != 1<<30 {
			e.Errorf("size %d, want %d", st.Size, 1<<30)
		}
	}},
	{name: "copyup/chmod-copies-no-data", layers: sparseLayers(), run: func(e *env) {
		e.must(unix.Chmod(e.p("big"), 0o600))
		e.must(setMtime(e.p("big"), Stamp{Sec: 77, Nsec: 7}))
		e.mode("big", 0o600)
		if st := e.lstat("big"); st.Mtim != (unix.Timespec{Sec: 77, Nsec: 7}) {
			e.Errorf("mtime %v", st.Mtim)
		}
		if st, err := statAt(e.upper("big")); trustedXattrs() && (err != nil || st.Blocks > 64) {
			e.Errorf("upper holds %d blocks of a file that chmod changed (%v)", st.Blocks, err)
		}
		e.content("big", string(RandomBytes(4<<20, 5)))
		e.m.Remount(e)
		e.mode("big", 0o600)
		e.content("big", string(RandomBytes(4<<20, 5)))
	}},
	{name: "copyup/truncate-on-open", layers: sparseLayers(), run: func(e *env) {
		e.write("big", "small now")
		e.content("big", "small now")
		e.m.Remount(e)
		e.content("big", "small now")
	}},
	{name: "copyup/parents", run: func(e *env) {
		before := e.lstat("deep/er")
		e.must(unix.Chmod(e.p("deep/er/est/f"), 0o600))
		after := e.lstat("deep/er")
		if before.Mtim != after.Mtim || before.Mode != after.Mode || before.Ino != after.Ino {
			e.Errorf("copy-up below changed a parent: %+v, was %+v", after, before)
		}
	}},
	{name: "copyup/only-when-written", run: func(e *env) {
		e.close(e.open("low", os.O_RDONLY))
		if _, err := statAt(e.upper("low")); err != unix.ENOENT {
			e.Errorf("opening for reading copied up: %v", err)
		}
		e.content("low", "low")
	}},
}

// keepsAll copies up by each way of changing something and compares all that
// wasn't changed.
func keepsAll(e *env, p string) {
	before := e.tree()
	if err := unix.Lsetxattr(e.p(p), "user.tmp", []byte("1"), 0); err == nil {
		e.must(unix.Lremovexattr(e.p(p), "user.tmp"))
	}
	e.must(unix.Chmod(e.p("d/x"), 0o644))
	if diff := Diff(before, e.tree()); diff != "" {
		e.Errorf("metadata copy-up changed:\n%s", diff)
	}
	fd, err := unix.Open(e.p(p), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == unix.EACCES {
		return
	}
	e.must(err)
	e.must(unix.Close(fd))
	if diff := Diff(before, e.tree()); diff != "" && !e.tol.Mtime {
		e.Errorf("opening for writing changed:\n%s", diff)
	}
}

func keepsType(e *env, paths ...string) {
	for _, p := range paths {
		before := e.lstat(p)
		e.must(unix.Lchown(e.p(p), unix.Getuid(), unix.Getgid()))
		e.must(setMtime(e.p(p), Stamp{Sec: 99}))
		for _, when := range []string{"after copy-up", "after a remount"} {
			after := e.lstat(p)
			if after.Mode&syscall.S_IFMT != before.Mode&syscall.S_IFMT || after.Rdev != before.Rdev {
				e.Errorf("%s: type %s of %#x %s, was %s of %#x", p, typeLetter(after.Mode), after.Rdev, when, typeLetter(before.Mode), before.Rdev)
			}
			e.m.Remount(e)
		}
	}
}

func sparseLayers() Layers {
	return Layers{Lower: []string{"sparse s 1073741824 1048576 \"island\"\nrandom big 4194304 5"}}
}

// blocksBelow says that p takes less than kib KiB on disk.
func (e *env) blocksBelow(p string, kib int64) {
	e.Helper()
	st, err := statAt(e.upper(p))
	e.must(err)
	if st.Blocks/2 >= kib {
		e.Errorf("%s takes %d KiB in upper, want below %d", p, st.Blocks/2, kib)
	}
}
