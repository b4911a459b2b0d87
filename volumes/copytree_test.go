package volumes

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// treeText is all that a copy must keep, a line for each file.
func treeText(t *testing.T, top string) string {
	t.Helper()
	var lines []string
	first := map[uint64]string{}
	err := filepath.Walk(top, func(file string, fi os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(file, &st); err != nil {
			return err
		}
		name, _ := filepath.Rel(top, file)
		line := fmt.Sprintf("%s %o %d:%d %d %d.%d", name, st.Mode, st.Uid, st.Gid, st.Rdev, st.Mtim.Sec, st.Mtim.Nsec)
		switch {
		case fi.Mode().IsRegular():
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if first[st.Ino] == "" {
				first[st.Ino] = name
			}
			line += fmt.Sprintf(" %d %x %s", st.Nlink, bytes.Count(text, []byte{7}), first[st.Ino])
			buf := make([]byte, 100)
			if n, err := unix.Lgetxattr(file, "user.color", buf); err == nil {
				line += " " + string(buf[:n])
			}
		case fi.Mode()&os.ModeSymlink != 0:
			to, err := os.Readlink(file)
			if err != nil {
				return err
			}
			line += " -> " + to
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// strangeTree makes a directory with files of all kinds.
func strangeTree(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	in := func(name string) string { return filepath.Join(top, name) }
	must(t,
		os.Mkdir(in("dir"), 0o755), os.Mkdir(in("dir/deep"), 0o700), os.Mkdir(in("empty"), 0o755),
		os.WriteFile(in("file"), []byte("\x07text"), 0o640), os.Link(in("file"), in("dir/deep/same")),
		os.WriteFile(in("nothing"), nil, 0o400), os.Chmod(in("nothing"), 0o4755),
		os.WriteFile(in("dir/sparse"), nil, 0o600), os.Truncate(in("dir/sparse"), 64<<20),
		os.Symlink("nowhere/at all", in("dangling")), os.Symlink("..", in("dir/up")),
		unix.Mkfifo(in("pipe"), 0o622), os.Chmod(in("dir"), 0o3711), os.Chmod(in("empty"), 0o555))
	f, err := os.OpenFile(in("dir/sparse"), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{7, 7}, 32<<20)
	must(t, err, f.Close())
	_ = unix.Setxattr(in("file"), "user.color", []byte("blue"), 0) // tmpfs may not know them
	old := []unix.Timespec{{Sec: 100, Nsec: 1}, {Sec: 200, Nsec: 2}}
	for _, name := range []string{"file", "dir/deep", "dir", "pipe", "dangling", "."} {
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, in(name), old, unix.AT_SYMLINK_NOFOLLOW))
	}
	return top
}

func copied(t *testing.T, from string, o CopyOptions) string {
	t.Helper()
	to := t.TempDir()
	src, err := unix.Open(from, unix.O_PATH|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(src)
	dst, err := unix.Open(to, unix.O_PATH|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(dst)
	must(t, CopyTree(t.Context(), src, dst, o))
	return to
}

func TestCopyTree(t *testing.T) {
	from := strangeTree(t)
	to := copied(t, from, CopyOptions{})
	if want, got := treeText(t, from), treeText(t, to); got != want {
		t.Errorf("the copy is\n%s\nand the source\n%s", got, want)
	}
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(to, "dir/sparse"), &st))
	if st.Blocks*512 > 1<<20 {
		t.Errorf("a file with 2 bytes among holes takes %d", st.Blocks*512)
	}
}

// TestCopyTreeElsewhere takes the bytes from where the source says.
func TestCopyTreeElsewhere(t *testing.T) {
	from, other := strangeTree(t), filepath.Join(t.TempDir(), "other")
	must(t, os.WriteFile(other, []byte("other"), 0o600))
	to := copied(t, from, CopyOptions{Data: func(name string, size int64) int {
		if name != "file" && name != "dir/deep/same" {
			return -1
		}
		fd, err := unix.Open(other, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		must(t, err)
		return fd
	}})
	if text, err := os.ReadFile(filepath.Join(to, "file")); err != nil || string(text) != "other" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestCopyTreeForeign asks for less of the file system, and has the same.
func TestCopyTreeForeign(t *testing.T) {
	from := strangeTree(t)
	if want, got := treeText(t, from), treeText(t, copied(t, from, CopyOptions{Foreign: true})); got != want {
		t.Errorf("the copy is\n%s\nand the source\n%s", got, want)
	}
}

// TestCopyTreeOwners gives the copy other owners than the source shows.
func TestCopyTreeOwners(t *testing.T) {
	from := strangeTree(t)
	asked := map[uint32]bool{}
	to := copied(t, from, CopyOptions{Owner: func(uid, gid uint32) (uint32, uint32) {
		asked[uid] = true
		return uid, gid
	}})
	if want, got := treeText(t, from), treeText(t, to); got != want || len(asked) != 1 {
		t.Errorf("the copy is\n%s\nand the source\n%s", got, want)
	}
}
