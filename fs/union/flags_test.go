package union

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/fs/hostfs"
)

// TestImmutable reads an immutable file of upper and refuses to change it,
// until it is immutable no more; with the descriptor kept and without.
func TestImmutable(t *testing.T) {
	const immutable = 0x10 // FS_IMMUTABLE_FL
	r := rigUp(t, fstest.Layers{Lower: []string{"file f \"lower\"\nfile gone"}})
	n := r.get("f")
	flags, err := r.u.Flags(n)
	if err == unix.ENOTTY || err == unix.EOPNOTSUPP {
		t.Skip("needs a file system with inode flags")
	}
	r.must(err)
	t.Cleanup(func() { mutable(t, filepath.Join(r.dirs.Upper, "f"), flags) })
	for range 2 {
		r.must(r.u.SetFlags(n, flags|immutable))
		r.put(n)
		r.reopen()
		n = r.get("f")
		r.wantContent("f", "lower")
		_, err = r.u.Write(n, []byte("X"), 0, WriteMode{})
		r.want("write", err, unix.EPERM)
		r.want("unlink", r.u.Unlink(r.u.Root(), "f"), unix.EPERM)
		r.want("rename over", r.u.Rename(r.u.Root(), "gone", r.u.Root(), "f", 0), unix.EPERM)
		r.must(r.u.SetFlags(n, flags))
		_, err = r.u.Write(n, []byte("l"), 0, WriteMode{})
		r.must(err)
		r.wantContent("f", "lower")
	}
	r.put(n)
	r.clean()
}

// mutable lets the test's directory be removed whatever happened.
func mutable(t *testing.T, path string, flags uint32) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = hostfs.SetFlags(fd, flags)
		hostfs.Close(fd)
	}
	if err != nil {
		t.Error(err)
	}
}

// A file that becomes immutable when it has no name any more goes with its last
// user, and leaves nothing in work.
func TestImmutableWithoutName(t *testing.T) {
	const immutable, appendOnly = 0x10, 0x20 // FS_IMMUTABLE_FL, FS_APPEND_FL
	r := rigUp(t, fstest.Layers{Lower: []string{""}, Upper: "file f \"upper\"\nfile g \"upper\""})
	for name, flag := range map[string]uint32{"f": immutable, "g": appendOnly} {
		n := r.get(name)
		flags, err := r.u.Flags(n)
		if err == unix.ENOTTY || err == unix.EOPNOTSUPP {
			t.Skip("needs a file system with inode flags")
		}
		r.must(err)
		r.must(r.u.Unlink(r.u.Root(), name))
		r.must(r.u.SetFlags(n, flags|flag))
		r.put(n)
	}
	left, err := filepath.Glob(filepath.Join(r.dirs.Work, "work", "#*"))
	if err != nil || len(left) > 0 {
		t.Errorf("work holds %q, %v", left, err)
	}
	r.clean()
}
