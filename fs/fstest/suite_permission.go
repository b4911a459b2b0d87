package fstest

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// aclDefault hands down rwx for a named user, with mask r-x: default ACLs
// replace the umask (acl(5), OBJECT CREATION AND DEFAULT ACLs). The user is the
// caller, the one id that every user namespace maps.
var aclDefault = "\x02\x00\x00\x00" + "\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00" + id32(unix.Geteuid()) +
	"\x04\x00\x05\x00\xff\xff\xff\xff" + "\x10\x00\x05\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"

func id32(id int) string {
	return string(binary.LittleEndian.AppendUint32(nil, uint32(id)))
}

// permissionChecks need no privilege: modes of what is created.
var permissionChecks = []check{
	{name: "permission/umask", run: func(e *env) {
		old := unix.Umask(0o027)
		defer unix.Umask(old)
		e.must(unix.Mkdir(e.p("both/d"), 0o777))
		e.must(unix.Mkfifo(e.p("both/p"), 0o666))
		e.must(unix.Mknod(e.p("both/f"), unix.S_IFREG|0o666, 0))
		e.must(unix.Mknod(e.p("both/s"), unix.S_IFSOCK|0o777, 0))
		f, err := os.OpenFile(e.p("both/o"), os.O_CREATE|os.O_WRONLY, 0o666)
		e.must(err)
		e.close(f)
		for p, mode := range map[string]uint32{"d": 0o750, "p": 0o640, "f": 0o640, "s": 0o750, "o": 0o640} {
			e.mode("both/"+p, mode)
		}
	}},
	{name: "permission/default-acl", run: defaultACL},
	{name: "permission/acl-chmod", run: func(e *env) {
		e.must(unix.Setxattr(e.p("low"), "system.posix_acl_access", []byte(aclDefault), 0))
		e.mode("low", 0o750)
		e.must(unix.Chmod(e.p("low"), 0o640)) // changes the mask, not the group's entry
		got, err := getXattr(e.p("low"), "system.posix_acl_access")
		e.must(err)
		if got[4+3*8+2] != 4 || got[4+2*8+2] != 5 {
			e.Errorf("ACL after chmod: mask %d, group %d, want 4 and 5", got[4+3*8+2], got[4+2*8+2])
		}
	}},
	{name: "permission/setgid-directory", run: func(e *env) {
		e.must(unix.Chmod(e.p("deep"), 0o2755))
		e.do(Op{Kind: Mkdir, Path: "deep/d", Mode: 0o755}, Op{Kind: Mkdir, Path: "deep/d/d", Mode: 0o700}, Op{Kind: Create, Path: "deep/d/f", Mode: 0o644})
		e.mode("deep/d", 0o2755)
		e.agree()
	}},
}

func defaultACL(e *env) {
	e.must(unix.Setxattr(e.p("deep"), "system.posix_acl_default", []byte(aclDefault), 0))
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	e.must(unix.Mkdir(e.p("deep/d"), 0o777))
	e.must(unix.Mkfifo(e.p("deep/p"), 0o666))
	e.write("deep/f", "x") // 0644
	e.mode("deep/d", 0o750)
	e.mode("deep/p", 0o640)
	e.mode("deep/f", 0o640)
	for _, p := range []string{"deep/d", "deep/p", "deep/f"} {
		if _, err := getXattr(e.p(p), "system.posix_acl_access"); err != nil {
			e.Errorf("%s: no access ACL: %v", p, err)
		}
	}
	if got, err := getXattr(e.p("deep/d"), "system.posix_acl_default"); err != nil || got != aclDefault {
		e.Errorf("default ACL of a new directory: %q %v", got, err)
	}
}
