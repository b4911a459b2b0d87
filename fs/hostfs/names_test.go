package hostfs

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMakeEveryType(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		write(t, d, longest, "x")
		check(t, Mkdir(d, "dir", 0o755))
		check(t, Symlink("/nowhere", d, "link"))
		check(t, Mknod(d, "fifo", unix.S_IFIFO|0o600, 0))
		check(t, Mknod(d, "sock", unix.S_IFSOCK|0o600, 0))
		check(t, Mknod(d, "whiteout", unix.S_IFCHR, 0))
		got := list(t, d, "")
		for name, dtype := range map[string]uint8{longest: unix.DT_REG, "dir": unix.DT_DIR, "link": unix.DT_LNK,
			"fifo": unix.DT_FIFO, "sock": unix.DT_SOCK, "whiteout": unix.DT_CHR} {
			if got[name] != dtype {
				t.Errorf("%q: type %d, want %d", name, got[name], dtype)
			}
			if st := stat(t, d, name); uint8(st.Mode>>12) != dtype {
				t.Errorf("%q: mode %o", name, st.Mode)
			}
			st := stat(t, open(t, d, name, unix.O_PATH), "")
			if uint8(st.Mode>>12) != dtype {
				t.Errorf("%q by descriptor: mode %o", name, st.Mode)
			}
		}
		want(t, Mkdir(d, longest+"z", 0o755), unix.ENAMETOOLONG)
		want(t, Mkdir(d, "a\x00b", 0o755), unix.EINVAL)
		want(t, Mkdir(d, "dir", 0o755), unix.EEXIST)
		want(t, Unlink(d, "dir"), unix.EISDIR)
		want(t, Rmdir(d, "link"), unix.ENOTDIR)
		for name := range got {
			check(t, RemoveAll(d, name))
		}
		if left := list(t, d, ""); len(left) != 0 {
			t.Errorf("left: %q", left)
		}
	})
}

func TestDeviceNumbers(t *testing.T) {
	d := place(t, t.TempDir())
	err := Mknod(d, "dev", unix.S_IFBLK|0o600, unix.Mkdev(259, 70000))
	if err == unix.EPERM {
		t.Skip("this user makes no devices")
	}
	check(t, err)
	if st := stat(t, d, "dev"); st.Rdev_major != 259 || st.Rdev_minor != 70000 {
		t.Errorf("%d:%d", st.Rdev_major, st.Rdev_minor)
	}
}

func TestReadlink(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		for _, n := range []int{1, 255, 256, 257, 4095} {
			target := strings.Repeat("t", n)
			check(t, Symlink(target, d, "l"))
			got, err := Readlink(d, "l")
			check(t, err)
			if got != target {
				t.Errorf("%d bytes: got %d", n, len(got))
			}
			got, err = Readlink(open(t, d, "l", unix.O_PATH), "")
			if err != nil || got != target {
				t.Errorf("%d bytes by descriptor: %d, %v", n, len(got), err)
			}
			check(t, Unlink(d, "l"))
		}
		write(t, d, "f", "")
		_, err := Readlink(d, "f")
		want(t, err, unix.EINVAL)
	})
}

func TestLastSymlinkIsNeverFollowed(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		check(t, Mkdir(d, "dir", 0o755))
		write(t, d, "file", "data")
		check(t, Symlink("dir", d, "todir"))
		check(t, Symlink("file", d, "tofile"))
		check(t, Symlink("made", d, "dangling"))
		_, err := Open(d, "tofile", unix.O_RDONLY, 0)
		want(t, err, unix.ELOOP)
		_, err = Open(d, "dangling", unix.O_CREAT|unix.O_WRONLY, 0o644)
		want(t, err, unix.ELOOP)
		_, err = OpenDir(d, "todir")
		want(t, err, unix.ENOTDIR)
		want(t, Chmod(d, "tofile", 0o600), unix.EOPNOTSUPP)
		check(t, Utimes(d, "tofile", unix.Timespec{Sec: 1}, unix.Timespec{Sec: 2}))
		if stat(t, d, "file").Mtime.Sec == 2 || stat(t, d, "tofile").Mtime.Sec != 2 {
			t.Error("utimes went through the link")
		}
		check(t, Link(d, "tofile", d, "second"))
		if stat(t, d, "second").Mode&unix.S_IFMT != unix.S_IFLNK {
			t.Error("link went through the link")
		}
		check(t, RemoveAll(d, "todir"))
		if stat(t, d, "dir").Mode&unix.S_IFMT != unix.S_IFDIR {
			t.Error("removal went through the link")
		}
	})
}

func TestLinkOfDescriptor(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		tmp, err := OpenTmp(d, unix.O_RDWR, 0o640)
		check(t, err)
		defer Close(tmp)
		_, err = Pwrite(tmp, []byte("hello"), 0)
		check(t, err)
		check(t, Link(tmp, "", d, "named"))
		if got := read(t, d, "named"); got != "hello" {
			t.Errorf("%q", got)
		}
		want(t, Link(tmp, "", d, "named"), unix.EEXIST)
		check(t, Mknod(d, "fifo", unix.S_IFIFO|0o600, 0))
		check(t, Link(open(t, d, "fifo", unix.O_PATH), "", d, "fifo2"))
		if st := stat(t, d, "fifo2"); st.Nlink != 2 {
			t.Errorf("nlink %d", st.Nlink)
		}
	})
}

func TestRename(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		write(t, d, "a", "A")
		write(t, d, "b", "B")
		want(t, Rename(d, "a", d, "b", unix.RENAME_NOREPLACE), unix.EEXIST)
		check(t, Rename(d, "a", d, "b", unix.RENAME_EXCHANGE))
		if read(t, d, "a") != "B" || read(t, d, "b") != "A" {
			t.Error("not exchanged")
		}
		check(t, Rename(d, "a", d, longest, 0))
		want(t, Rename(d, "a", d, "b", 0), unix.ENOENT)
		check(t, Mkdir(d, "dir", 0o755))
		want(t, Rename(d, "dir", d, "dir/below", 0), unix.EINVAL)
		if read(t, d, longest) != "B" {
			t.Error("not renamed")
		}
	})
}
