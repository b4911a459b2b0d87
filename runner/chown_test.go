package runner

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGiveTo needs ids beside its own.
func TestGiveTo(t *testing.T) {
	if os.Geteuid() != 0 || exec.Command("chown", "33:34", t.TempDir()).Run() != nil {
		t.Log("who may not give files away is told so")
		if err := giveTo(t.TempDir(), 33, 34); err == nil {
			t.Error("a file was given away")
		}
		return
	}
	top := t.TempDir()
	in := func(name string) string { return filepath.Join(top, name) }
	for _, err := range []error{
		os.MkdirAll(in("dir/deep"), 0o700), os.WriteFile(in("dir/deep/file"), nil, 0o400),
		os.Symlink("nowhere/at all", in("dangling")), os.Symlink("..", in("dir/up")), unix.Mkfifo(in("pipe"), 0o622),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := giveTo(top, 33, 34); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(top, func(name string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(name, &st)
		}
		if st.Uid != 33 || st.Gid != 34 {
			t.Errorf("%s is %d:%d's", name, st.Uid, st.Gid)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := giveTo(in("dir/deep/file"), 0, 0); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(in("dangling")); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Error(err)
	}
}
