package fstest

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// ownLower belongs to the ordinary user when root makes it.
func ownLower() Layers {
	owner := ""
	if unix.Geteuid() == 0 && canBecome(OtherUser) {
		owner = " owner=1000:1000"
	}
	text := "dir u 0755" + owner + "\ndir tmp 01777\nfile tmp/roots 0644 \"r\"\nfile closed 0600 \"c\"\n"
	for _, name := range []string{"write", "truncate", "fallocate", "chown", "keep", "otrunc"} {
		text += "file u/" + name + " 06775 \"privileged\"" + owner + "\n"
	}
	return Layers{Lower: []string{text}}
}

// privilegeChecks act as an ordinary user.
var privilegeChecks = []check{
	{name: "privilege/suid-cleared", who: user, layers: ownLower(), run: func(e *env) { AsUser(e, func() { suidCleared(e) }) }},
	{name: "privilege/access", who: root, layers: ownLower(), run: func(e *env) {
		AsUser(e, func() {
			_, err := os.ReadFile(e.p("closed"))
			e.want("read of root's file", err, unix.EACCES)
			e.want("chmod of root's file", unix.Chmod(e.p("closed"), 0o777), unix.EPERM)
			e.want("chown", unix.Chown(e.p("u/keep"), 0, 0), unix.EPERM)
			e.want("create in root's directory", unix.Mkdir(e.p("new"), 0o755), unix.EACCES)
			e.want("unlink in root's directory", unix.Unlink(e.p("closed")), unix.EACCES)
			e.want("rename out of it", unix.Rename(e.p("closed"), e.p("u/closed")), unix.EACCES)
		})
		e.content("closed", "c")
	}},
	{name: "privilege/trusted-names-hidden", who: root, layers: Layers{Lower: []string{"file f 0666 \"x\" trusted.t=1 user.u=2"}}, run: func(e *env) {
		AsUser(e, func() {
			e.must(dropSysAdmin())
			names, err := listXattr(e.p("f"))
			e.must(err)
			if !slices.Equal(names, []string{"user.u"}) {
				e.Errorf("a user sees the attributes %q", names)
			}
		})
	}},
	{name: "privilege/sticky", who: root, layers: ownLower(), run: func(e *env) {
		AsUser(e, func() {
			e.want("unlink in a sticky directory", unix.Unlink(e.p("tmp/roots")), unix.EPERM)
			e.want("rename in a sticky directory", unix.Rename(e.p("tmp/roots"), e.p("tmp/mine")), unix.EPERM)
			e.must(unix.Mkdir(e.p("tmp/own"), 0o755))
			e.must(unix.Rmdir(e.p("tmp/own")))
		})
	}},
	{name: "privilege/new-files-owner", who: root, layers: ownLower(), run: func(e *env) {
		AsUser(e, func() {
			e.must(unix.Mkdir(e.p("u/d"), 0o755))
			e.must(unix.Mkfifo(e.p("u/p"), 0o644))
			e.must(unix.Symlink("x", e.p("u/l")))
			fd, err := unix.Open(e.p("u/f"), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o400)
			e.must(err)
			e.must(unix.Close(fd))
		})
		for _, p := range []string{"u/d", "u/p", "u/l", "u/f"} {
			if st := e.lstat(p); st.Uid != OtherUser || st.Gid != OtherUser {
				e.Errorf("%s belongs to %d:%d", p, st.Uid, st.Gid)
			}
		}
	}},
	{name: "privilege/chown-by-root-clears", who: root, layers: ownLower(), run: func(e *env) {
		e.do(Op{Kind: Chown, Path: "u/chown", UID: 5, GID: 6}, Op{Kind: Stat, Path: "u/chown"},
			Op{Kind: Write, Path: "u/write", Data: "by root"}, Op{Kind: Stat, Path: "u/write"})
		e.agree()
	}},
	{name: "privilege/capability-dropped-by-write", who: root, layers: Layers{Lower: []string{"file f \"x\" security.capability=" + fileCap}}, run: func(e *env) {
		f := e.open("f", os.O_WRONLY)
		_, err := f.WriteAt([]byte("y"), 0)
		e.must(err)
		e.close(f)
		_, err = getXattr(e.p("f"), "security.capability")
		e.want("capability after a write", err, unix.ENODATA)
	}},
}

// suidCleared: file_remove_privs() for data, setattr_should_drop_sgid() for
// owners; an ordinary user has no CAP_FSETID.
func suidCleared(e *env) {
	f := e.open("u/write", os.O_WRONLY)
	_, err := f.WriteAt([]byte("x"), 0)
	e.must(err)
	e.close(f)
	e.must(unix.Truncate(e.p("u/truncate"), 3))
	f = e.open("u/fallocate", os.O_RDWR)
	e.must(unix.Fallocate(int(f.Fd()), 0, 0, 100))
	e.close(f)
	// Not -1 for both: a FUSE server isn't told of a chown that changes nothing.
	e.must(unix.Chown(e.p("u/chown"), -1, int(e.lstat("u/chown").Gid)))
	e.close(e.open("u/otrunc", os.O_WRONLY|os.O_TRUNC))
	for _, p := range []string{"write", "truncate", "fallocate", "chown", "otrunc"} {
		e.mode("u/"+p, 0o775)
	}
	e.mode("u/keep", 0o6775)
}
