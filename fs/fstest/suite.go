package fstest

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// caller says who may make a check. A run as an ordinary user leaves the ones
// for root out instead of skipping them: they belong to the run as root.
type caller int

const (
	anyone caller = iota
	root          // of the initial user namespace
	user          // an ordinary user, or root who can become one
)

func (c caller) applies() bool {
	switch c {
	case root:
		return trustedXattrs()
	case user:
		return unix.Geteuid() != 0 || canBecome(OtherUser)
	}
	return true
}

// check is one claim about a mount.
type check struct {
	name   string
	who    caller
	kernel string // why the kernel's overlayfs differs by design; "" when it agrees
	layers Layers
	run    func(e *env)
}

// checks are all of them, a table per file.
func checks() []check {
	return slices.Concat(
		layerChecks, nameChecks, renameChecks, copyUpChecks, linkChecks, openChecks,
		readdirChecks, permissionChecks, privilegeChecks, dataChecks, lockChecks,
		attrChecks, statChecks, bigChecks, mountChecks,
	)
}

// SuiteOptions adapt the suite to a file system that differs by design.
type SuiteOptions struct {
	Tolerance Tolerance
	// Omit says why a check isn't run; "" runs it.
	Omit func(name, kernel string) string
}

// Suite runs every check on mounts made by newMount, each on a mount of its
// own. After each, the mount comes back after a remount with the same tree,
// and the lower layers are what they were.
func Suite(t *testing.T, newMount NewMount) {
	t.Helper()
	SuiteWith(t, newMount, SuiteOptions{})
}

// SuiteWith is Suite with options.
func SuiteWith(t *testing.T, newMount NewMount, o SuiteOptions) {
	for _, c := range checks() {
		if why := o.left(c); why != "" {
			t.Logf("left out: %s: %s", c.name, why)
			continue
		}
		t.Run(c.name, func(t *testing.T) { runCheck(t, newMount, c, o.Tolerance) })
	}
}

// left says why a check has no meaning in this run.
func (o SuiteOptions) left(c check) string {
	if !c.who.applies() {
		return "needs another caller"
	}
	if o.Omit != nil {
		return o.Omit(c.name, c.kernel)
	}
	return ""
}

func runCheck(t *testing.T, newMount NewMount, c check, tol Tolerance) {
	layers := c.layers
	if len(layers.Lower) == 0 {
		layers.Lower = standardLower
	}
	e := &env{T: t, newMount: newMount, layers: layers, tol: tol}
	e.m = newMount(t, layers)
	lowers := e.m.LowerDirs()
	before := lowerSnapshot(t, lowers)
	c.run(e)
	if t.Failed() {
		return
	}
	e.sameAfterRemount()
	if diff := Diff(before, lowerSnapshot(t, lowers)); diff != "" {
		t.Errorf("a lower layer changed:\n%s", diff)
	}
}

// sameAfterRemount is the law that nothing lives in memory alone.
func (e *env) sameAfterRemount() {
	e.Helper()
	before := e.tree()
	e.m.Remount(e)
	if diff := Diff(before, e.tree()); diff != "" {
		e.Errorf("the tree changed by a remount:\n%s", diff)
	}
}

// standardLower is the stack of checks that need nothing special: a directory
// in both layers, a whiteout and an opaque directory in the higher one, and
// plain things in the lower.
var standardLower = []string{`
dir both 0755
file both/top 0644 "top"
file both/shared 0644 "from top"
whiteout both/gone
opaque cut
file cut/new 0644 "new"
file high 0644 "high"
`, `
dir both 0755
file both/bottom 0640 "bottom"
file both/shared 0600 "from bottom"
file both/gone 0644 "gone"
dir cut 0755
file cut/old 0644 "old"
dir deep/er/est 0750
file deep/er/est/f 0644 "deep"
dir empty 0755
file low 0640 "low" user.note="of low"
file name1 0644 "linked"
hardlink name2 = name1
symlink sym -> low
fifo pipe 0622
sock socket 0755
`}
