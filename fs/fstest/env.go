package fstest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// env is what a check works with. Its methods end the test when what they do
// as a preparation fails, and report (but go on) when a claim is wrong.
type env struct {
	*testing.T
	m        Mounted
	newMount NewMount
	layers   Layers
	tol      Tolerance
	model    *Model
	state    State
}

func (e *env) p(p string) string { return filepath.Join(e.m.Root(), p) }

// upper is the path of p in the upper layer, to see what was written there.
func (e *env) upper(p string) string { return filepath.Join(e.m.Upper(), p) }

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// want compares an error with the errno that it should be (0 is success).
func (e *env) want(what string, err error, want unix.Errno) {
	e.Helper()
	var got unix.Errno
	if err != nil && !errors.As(err, &got) {
		e.Errorf("%s: %v, want %s", what, err, errnoName(want))
		return
	}
	if got != want {
		e.Errorf("%s: %s, want %s", what, errnoName(got), errnoName(want))
	}
}

func errnoName(errno unix.Errno) string {
	if errno == 0 {
		return "success"
	}
	return unix.ErrnoName(errno)
}

func (e *env) write(p, data string) {
	e.Helper()
	e.must(os.WriteFile(e.p(p), []byte(data), 0o644))
}

func (e *env) content(p, want string) {
	e.Helper()
	got, err := os.ReadFile(e.p(p))
	if err != nil {
		e.Errorf("read: %v", err)
		return
	}
	if string(got) != want {
		e.Errorf("%s: %s", p, diffText(string(got), want))
	}
}

func (e *env) lstat(p string) unix.Stat_t {
	e.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(e.p(p), &st); err != nil {
		e.Fatalf("lstat %s: %v", p, err)
	}
	return st
}

func (e *env) mode(p string, want uint32) {
	e.Helper()
	if got := e.lstat(p).Mode & 0o7777; got != want {
		e.Errorf("%s: mode %04o, want %04o", p, got, want)
	}
}

func (e *env) absent(p string) {
	e.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(e.p(p), &st); err != unix.ENOENT {
		e.Errorf("lstat %s: %v, want ENOENT", p, err)
	}
}

// open opens until the check ends or closes it.
func (e *env) open(p string, flags int) *os.File {
	e.Helper()
	f, err := os.OpenFile(e.p(p), flags, 0o644)
	e.must(err)
	e.Cleanup(func() { _ = f.Close() }) // most are closed by then
	return f
}

func (e *env) close(f *os.File) {
	e.Helper()
	e.must(f.Close())
}

// names lists a directory: "type name" lines, sorted.
func (e *env) names(p, want string) {
	e.Helper()
	r := Op{Kind: Readdir, Path: p}.Apply(e.m.Root(), &e.state)
	if r.Errno != 0 {
		e.Errorf("list %s: %v", p, r.Errno)
	} else if r.Out != want {
		e.Errorf("list %s: %s", p, diffText(r.Out, want))
	}
}

func (e *env) tree() []string {
	e.Helper()
	opt := e.tol.snapshot()
	tree, err := Snapshot(e.m.Root(), opt)
	e.must(err)
	return tree
}

// follow makes a model of the mount as it is: from here on, do applies to
// both, and agree compares the trees.
func (e *env) follow() {
	e.Helper()
	m, err := NewModel(e.m.Root(), umask())
	e.must(err)
	e.model = m
	e.state.Remounted = func() { e.m.Remount(e) }
}

func (e *env) do(ops ...Op) {
	e.Helper()
	if e.model == nil {
		e.follow()
	}
	for _, op := range ops {
		got, want := op.Apply(e.m.Root(), &e.state), e.model.Apply(op)
		if diff := e.tol.mismatch(op, got, want); diff != "" {
			e.Errorf("%s: %s", op, diff)
		}
	}
}

// agree compares the mount with the model, before and after a remount.
func (e *env) agree() {
	e.Helper()
	e.state.Close()
	tol := e.tol
	tol.Mtime = true // "now" has no beginning here; sequences compare times
	for _, when := range []string{"before the remount", "after the remount"} {
		if diff := treeDiff(e.m.Root(), e.model, tol, since(), when); diff != "" {
			e.Error(diff)
		}
		e.m.Remount(e)
	}
}
