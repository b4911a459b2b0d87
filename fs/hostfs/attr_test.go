package hostfs

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestChmod(t *testing.T) {
	for _, kernel := range []string{"fchmodat2", "before"} {
		t.Run(kernel, func(t *testing.T) {
			if kernel == "before" {
				without(t, &hasFchmodat2)
			}
			everywhere(t, func(t *testing.T, d int) {
				write(t, d, "f", "")
				check(t, Mknod(d, "fifo", unix.S_IFIFO|0o600, 0))
				check(t, Symlink("f", d, "l"))
				for _, name := range []string{"f", "fifo"} {
					check(t, Chmod(d, name, 0o4711))
					if m := stat(t, d, name).Mode & 0o7777; m != 0o4711 {
						t.Errorf("%s: %o", name, m)
					}
					check(t, Chmod(open(t, d, name, unix.O_PATH), "", 0o1600))
					if m := stat(t, d, name).Mode & 0o7777; m != 0o1600 {
						t.Errorf("%s by descriptor: %o", name, m)
					}
				}
				want(t, Chmod(d, "l", 0o600), unix.EOPNOTSUPP)
				want(t, Chmod(open(t, d, "l", unix.O_PATH), "", 0o600), unix.EOPNOTSUPP)
				want(t, Chmod(d, "none", 0o600), unix.ENOENT)
			})
		})
	}
}

func TestChown(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		keep := ^uint32(0)
		check(t, Symlink("nowhere", d, "l"))
		uid, gid := uint32(os.Getuid()), uint32(os.Getgid())
		check(t, Chown(d, "l", uid, gid))
		if err := Chown(d, "l", 7, keep); err == unix.EPERM || err == unix.EINVAL {
			t.Skip("this user gives nothing away:", err)
		}
		check(t, Chown(open(t, d, "l", unix.O_PATH), "", keep, 8))
		if st := stat(t, d, "l"); st.Uid != 7 || st.Gid != 8 {
			t.Errorf("%d:%d", st.Uid, st.Gid)
		}
	})
}

func TestUtimes(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		write(t, d, "f", "")
		p := open(t, d, "f", unix.O_PATH)
		omit := unix.Timespec{Nsec: unix.UTIME_OMIT}
		check(t, Utimes(d, "f", unix.Timespec{Sec: 5, Nsec: 6}, unix.Timespec{Sec: 7, Nsec: 8}))
		check(t, Utimes(p, "", omit, unix.Timespec{Sec: 9, Nsec: 10}))
		st := stat(t, p, "")
		if st.Atime.Sec != 5 || st.Atime.Nsec != 6 || st.Mtime.Sec != 9 || st.Mtime.Nsec != 10 {
			t.Errorf("%+v %+v", st.Atime, st.Mtime)
		}
		check(t, Utimes(p, "", unix.Timespec{Nsec: unix.UTIME_NOW}, omit))
		if st := stat(t, p, ""); st.Atime.Sec < 1e9 || st.Mtime.Sec != 9 {
			t.Errorf("%+v %+v", st.Atime, st.Mtime)
		}
	})
}

func TestFlags(t *testing.T) {
	d := place(t, t.TempDir())
	write(t, d, "f", "")
	fd := open(t, d, "f", unix.O_RDWR)
	flags, err := GetFlags(fd)
	if err == unix.ENOTTY || err == unix.EOPNOTSUPP {
		t.Skip("no flags on this file system")
	}
	check(t, err)
	const nodump = 0x40 // FS_NODUMP_FL
	check(t, SetFlags(fd, flags|nodump))
	got, err := GetFlags(fd)
	check(t, err)
	if got != flags|nodump {
		t.Errorf("%x, want %x", got, flags|nodump)
	}
	const xNodump = 0x80 // FS_XFLAG_NODUMP
	var x Fsxattr
	check(t, GetFsxattr(fd, &x))
	if x[0]&xNodump == 0 {
		t.Errorf("fsxattr %x lacks nodump", x)
	}
	x[0] &^= xNodump
	check(t, SetFsxattr(fd, &x))
	if got, err := GetFlags(fd); err != nil || got != flags {
		t.Errorf("%x (%v), want %x", got, err, flags)
	}
}

func TestStatfs(t *testing.T) {
	var st unix.Statfs_t
	check(t, Statfs(place(t, t.TempDir()), &st))
	if st.Namelen != 255 {
		t.Errorf("%+v", st)
	}
	want(t, Statfs(-1, &st), unix.EBADF)
}
