package main

import (
	"path/filepath"
	"slices"
	"strings"
)

// formKind is one of the ways in which the program is called.
type formKind int

const (
	// formTree is a command of our own: umount, version, help …
	formTree formKind = iota
	// formMount mounts: "unionfs mount …", and the fuse-overlayfs way
	// "PROG -o … TARGET", also with a source word before the target.
	formMount
	// formHelper is a call by mount(8), whose helpers are named mount.TYPE
	// and have flags of their own (-f is "fake" there).
	formHelper
)

// form is what the shape of the command line says, before any option is read.
type form struct {
	kind formKind
	// name is the name we were called by, without its directory.
	name string
	args []string
	// verb says that the word "mount" was typed, so that people and not
	// programs are at the other end.
	verb bool
}

// globals are the flags that may stand before a command.
var globals = []string{"--root", "--storage-driver", "--config"}

// decide tells the form from argv. The name comes first: a link named
// fuse-overlayfs never has verbs, so that a source may be called anything.
func decide(argv []string) form {
	f := form{name: "unionfs"}
	if len(argv) > 0 {
		f.name = filepath.Base(argv[0])
		f.args = argv[1:]
	}
	switch {
	case strings.HasPrefix(f.name, "mount."):
		f.kind = formHelper
	case f.standIn():
		f.kind = formMount
	case len(f.args) > 0 && f.args[0] == "mount":
		f.kind, f.verb, f.args = formMount, true, f.args[1:]
	case len(f.args) > 0 && f.looksLikeMount():
		f.kind = formMount
	}
	return f
}

// standIn says that we go by another program's name.
func (f form) standIn() bool {
	return !strings.HasPrefix(f.name, "unionfs") && !strings.HasPrefix(f.name, "mount.")
}

// looksLikeMount tells "unionfs -o … TARGET" and "unionfs overlay TARGET -o …"
// from a command that was mistyped: mounting is never done without -o.
func (f form) looksLikeMount() bool {
	first := f.args[0]
	flag, _, _ := strings.Cut(first, "=")
	if isVerb(first) || slices.Contains(globals, flag) || first == "-h" || first == "--help" {
		return false
	}
	return strings.HasPrefix(first, "-") || slices.ContainsFunc(f.args, func(arg string) bool {
		return strings.HasPrefix(arg, "-o") || strings.HasPrefix(arg, "--options")
	})
}

// subtype is what stands behind "fuse." in the type that mount(8) shows, when
// nobody says otherwise: programs look for the name that they called.
func (f form) subtype() string {
	if f.standIn() {
		return f.name
	}
	return ""
}
