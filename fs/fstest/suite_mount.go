package fstest

import "golang.org/x/sys/unix"

// mountChecks: what lives on in upper and work.
var mountChecks = []check{
	{name: "mount/upper-with-content", layers: Layers{Lower: standardLower, Upper: "file both/up \"up\"\nwhiteout low\nopaque deep\nfile deep/only"}, run: func(e *env) {
		e.names("both", "- bottom\n- shared\n- top\n- up")
		e.absent("low")
		e.names("deep", "- only")
		e.do(Op{Kind: Create, Path: "low", Mode: 0o644, Data: "again"}, Op{Kind: Rename, Path: "deep", To: "both/deep"}, Op{Kind: Readdir, Path: "both/deep"})
		e.agree()
	}},
	{name: "mount/again-right-after-unmount", run: func(e *env) {
		for i := range 4 {
			e.do(Op{Kind: Append, Path: "log", Data: string(rune('a' + i))}, Op{Kind: Remount})
		}
		e.content("log", "abcd")
		e.agree()
	}},
	{name: "mount/absolute-symlinks-stay-names", layers: Layers{Lower: []string{"symlink abs -> /\nsymlink abs2 -> /abs\nfile f \"f\""}}, run: func(e *env) {
		e.must(setMtime(e.p("abs"), Stamp{Sec: 5}))
		e.must(unix.Lchown(e.p("abs2"), unix.Getuid(), unix.Getgid()))
		e.do(Op{Kind: Readlink, Path: "abs"}, Op{Kind: Readlink, Path: "abs2"}, Op{Kind: Rename, Path: "abs", To: "f"}, Op{Kind: Listxattr, Path: "f"})
		e.agree()
	}},
	{name: "mount/work-is-swept", run: func(e *env) {
		e.do(Op{Kind: Rename, Path: "deep", To: "x"}, Op{Kind: Unlink, Path: "low"}, Op{Kind: Chmod, Path: "both/bottom", Mode: 0o600})
		e.names(".", "- high\n- name1\n- name2\nd both\nd cut\nd empty\nd x\nl sym\np pipe\ns socket")
		e.agree()
	}},
}
