package hostfs

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestXattrs(t *testing.T) {
	for _, kernel := range []string{"xattrat", "before"} {
		t.Run(kernel, func(t *testing.T) {
			if kernel == "before" {
				without(t, &hasXattrat)
			}
			everywhere(t, xattrRound)
		})
	}
}

func xattrRound(t *testing.T, d int) {
	write(t, d, longest, "")
	check(t, Mkdir(d, "dir", 0o755))
	for _, name := range []string{longest, "dir"} {
		err := Setxattr(d, name, "user.one", []byte("1"), 0)
		if err == unix.EOPNOTSUPP {
			t.Skip("no user xattrs here")
		}
		check(t, err)
		p := open(t, d, name, unix.O_PATH)
		check(t, Setxattr(p, "", "user.two", []byte("22"), unix.XATTR_CREATE))
		want(t, Setxattr(d, name, "user.two", nil, unix.XATTR_CREATE), unix.EEXIST)
		want(t, Setxattr(p, "", "user.no", nil, unix.XATTR_REPLACE), unix.ENODATA)
		check(t, Setxattr(p, "", "user.empty", nil, 0))
		for _, at := range []struct {
			fd   int
			name string
		}{{d, name}, {p, ""}} {
			got, err := GetxattrAll(at.fd, at.name, "user.two")
			check(t, err)
			if string(got) != "22" {
				t.Errorf("%q", got)
			}
			n, err := Getxattr(at.fd, at.name, "user.two", nil)
			if n != 2 || err != nil {
				t.Errorf("size %d, %v", n, err)
			}
			_, err = Getxattr(at.fd, at.name, "user.two", make([]byte, 1))
			want(t, err, unix.ERANGE)
			_, err = Getxattr(at.fd, at.name, "user.none", nil)
			want(t, err, unix.ENODATA)
			names, err := ListxattrAll(at.fd, at.name)
			check(t, err)
			for _, one := range []string{"user.one", "user.two", "user.empty"} {
				if !slices.Contains(names, one) {
					t.Errorf("%q lacks %s", names, one)
				}
			}
		}
		check(t, Removexattr(p, "", "user.one"))
		want(t, Removexattr(d, name, "user.one"), unix.ENODATA)
	}
}

func TestXattrsOfSpecialFiles(t *testing.T) {
	for _, kernel := range []string{"xattrat", "before"} {
		if kernel == "before" {
			without(t, &hasXattrat)
		}
		everywhere(t, func(t *testing.T, d int) {
			write(t, d, "target", "")
			check(t, Symlink("target", d, "link"))
			check(t, Mknod(d, "fifo", unix.S_IFIFO|0o600, 0))
			check(t, Mknod(d, "dev", unix.S_IFCHR, 0))
			for _, name := range []string{"link", "fifo", "dev"} {
				p := open(t, d, name, unix.O_PATH)
				want(t, Setxattr(d, name, "user.x", nil, 0), unix.EPERM)
				want(t, Setxattr(p, "", "user.x", nil, 0), unix.EPERM)
				err := Setxattr(d, name, "trusted.x", []byte("t"), 0)
				if err == unix.EPERM {
					continue // not root
				}
				check(t, err)
				got, err := GetxattrAll(p, "", "trusted.x")
				if err != nil || string(got) != "t" {
					t.Errorf("%s: %q, %v", name, got, err)
				}
				_, err = Getxattr(d, "target", "trusted.x", nil)
				want(t, err, unix.ENODATA)
			}
		})
	}
	_, err := Getxattr(1<<20, "", "user.x", nil)
	want(t, err, unix.EBADF)
}

func TestLargeXattrs(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		write(t, d, "f", "")
		value := bytes.Repeat([]byte("v"), 3000)
		if err := Setxattr(d, "f", "user.big", value, 0); err != nil {
			t.Skip("no xattr of this size here:", err)
		}
		got, err := GetxattrAll(d, "f", "user.big")
		check(t, err)
		if !bytes.Equal(got, value) {
			t.Errorf("%d bytes", len(got))
		}
		// One byte more than XATTR_NAME_MAX.
		_, err = Getxattr(d, "f", "user."+strings.Repeat("n", 251), nil)
		want(t, err, unix.ERANGE)
	})
}
