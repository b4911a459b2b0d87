package whiteout

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var xattrNames = []string{
	"", "user.", "user.overlay", "user.overlay.", "user.overlay.opaque", "trusted.overlay.opaque",
	"user.overlay.overlay.opaque", "user.overlay.overlay.overlay.x", "user.fuseoverlayfs.opaque",
	"security.fuseoverlayfs.override_stat", "security.capability", "user.mime_type", "trusted.overlayx",
	"user.containers.override_stat", "\xff\xfe",
}

func TestEscapeLaw(t *testing.T) {
	for _, name := range xattrNames {
		escapeLaw(t, name)
	}
	for disk, want := range map[string]string{"user.overlay.overlay.x": "user.overlay.x", "user.x": "user.x",
		"trusted.overlay.overlay.overlay.x": "trusted.overlay.overlay.x", "user.overlay.x": "",
		"user.fuseoverlayfs.fuseoverlayfs.x": "user.fuseoverlayfs.x", "security.fuseoverlayfs.x": ""} {
		if got, shown := Unescape(disk); got != want || shown != (want != "") {
			t.Errorf("%q: %q, %v", disk, got, shown)
		}
	}
	for ns := range namespaces {
		for a := range attrs {
			if !IsPrivate(ns.Name(a)) {
				t.Errorf("%s isn't private", ns.Name(a))
			}
		}
	}
}

func escapeLaw(t *testing.T, x string) {
	if got, shown := Unescape(Escape(x)); got != x || !shown {
		t.Errorf("%q comes back as %q, %v", x, got, shown)
	}
	if got, shown := Unescape(x); shown && Escape(got) != x {
		t.Errorf("%q is shown and no image", x)
	}
	if IsPrivate(x) == (Escape(x) == x) {
		t.Errorf("%q: private and unescaped", x)
	}
}

func FuzzEscape(f *testing.F) {
	for _, name := range xattrNames {
		f.Add(name)
	}
	f.Fuzz(escapeLaw)
}

var markNames = []string{
	"", ".", "..", "a", "a/b", "a\x00", ".wh", ".wh.", ".wh.a", ".wh..wh..opq", ".wh..wh.plnk", "...", "\xff",
	strings.Repeat("n", 251), strings.Repeat("n", 252), strings.Repeat("n", 255), strings.Repeat("n", 256),
}

func TestCodecLaw(t *testing.T) {
	for _, name := range markNames {
		codecLaw(t, name)
	}
	long := strings.Repeat("n", 252)
	for _, c := range []struct {
		format Format
		name   string
		want   error
	}{
		{FormatOverlay, ".wh.a", nil}, {FormatXattr, ".wh.a", nil}, {FormatAufs, ".wh.a", unix.EINVAL},
		{FormatTar, ".wh.a", unix.EINVAL}, {FormatAufs, long, unix.ENAMETOOLONG}, {FormatOverlay, long, nil},
		{FormatOverlay, "..", unix.EINVAL}, {FormatXattr, "a/b", unix.EINVAL},
		{FormatOverlay, strings.Repeat("n", 256), unix.ENAMETOOLONG},
	} {
		if _, err := NewCodec(c.format, User).Encode(Mark{Name: c.name}); err != c.want {
			t.Errorf("%s %.20q: %v, want %v", c.format, c.name, err, c.want)
		}
	}
}

func codecLaw(t *testing.T, name string) {
	for f := range formats {
		for ns := range namespaces {
			c := NewCodec(f, ns)
			for _, m := range []Mark{{Name: name}, {Kind: MarkOpaque}} {
				e, err := c.Encode(m)
				if err != nil {
					continue
				}
				if got, ok := c.Decode(e); !ok || got != m {
					t.Errorf("%s: %+v is %+v, which is %+v, %v", f, m, e, got, ok)
				}
				if m.Kind == MarkWhiteout && e.Name != c.MarkName(name) {
					t.Errorf("%s: %q isn't at MarkName", f, e.Name)
				}
				if e.Name != "" && !ValidName(e.Name) {
					t.Errorf("%s: entry %q", f, e.Name)
				}
			}
			// Whatever is decoded has an encoding.
			for _, mode := range []uint32{unix.S_IFREG, unix.S_IFCHR, unix.S_IFDIR} {
				e := Entry{Name: name, Mode: mode, Xattrs: map[string]string{ns.Name(Whiteout): ""}}
				if m, ok := c.Decode(e); ok {
					if back, err := c.Encode(m); err != nil || back.Name != name {
						t.Errorf("%s: %q decodes to %+v, %v", f, name, m, err)
					}
				}
			}
		}
	}
}

func FuzzCodec(f *testing.F) {
	for _, name := range markNames {
		f.Add(name)
	}
	f.Fuzz(codecLaw)
}

func TestParseOverride(t *testing.T) {
	for value, want := range map[string]Override{
		"0:0:0755":            {Mode: 0o755},
		"1000:1001:4755:file": {UID: 1000, GID: 1001, Mode: 0o4755, Type: unix.S_IFREG},
		"0:0:100644":          {Mode: 0o644},
		"1:2:0700:dir":        {UID: 1, GID: 2, Mode: 0o700, Type: unix.S_IFDIR},
		"1:2:0777:symlink":    {UID: 1, GID: 2, Mode: 0o777, Type: unix.S_IFLNK},
		"1:2:0600:pipe":       {UID: 1, GID: 2, Mode: 0o600, Type: unix.S_IFIFO},
		"1:2:0600:socket":     {UID: 1, GID: 2, Mode: 0o600, Type: unix.S_IFSOCK},
		"1:2:0600:block-8-1":  {UID: 1, GID: 2, Mode: 0o600, Type: unix.S_IFBLK, Major: 8, Minor: 1},
		"1:2:0600:char-1-3":   {UID: 1, GID: 2, Mode: 0o600, Type: unix.S_IFCHR, Major: 1, Minor: 3},
		"1:2:0600:char:1:3":   {UID: 1, GID: 2, Mode: 0o600, Type: unix.S_IFCHR, Major: 1, Minor: 3},
		"4294967295:0:0":      {UID: 1<<32 - 1},
	} {
		if got, err := ParseOverride([]byte(value)); err != nil || got != want {
			t.Errorf("%q: %+v, %v", value, got, err)
		}
	}
	for _, value := range []string{"", ":", "::", "0:0", "0:0:", "0:0:9", "0:0:-1", "+1:0:0", " 1:0:0", "1_0:0:0",
		"4294967296:0:0", "0:0:0:", "0:0:0:fifo", "0:0:0:file:", "0:0:0:char", "0:0:0:char-1", "0:0:0:char-1-2-3",
		"0:0:200000", "0:0:0:file-1-2", "0:0:0:dir:1:2", "0:0:0\n", strings.Repeat("0", 127) + ":0:0"} {
		if o, err := ParseOverride([]byte(value)); err != unix.EINVAL {
			t.Errorf("%q: %+v, %v", value, o, err)
		}
	}
	o := Override{UID: 7, GID: 8, Mode: 0o4755, Type: unix.S_IFCHR, Major: 1, Minor: 3}
	if got := string(o.Append(nil)); got != "7:8:4755:char-1-3" {
		t.Error(got)
	}
}

func FuzzOverride(f *testing.F) {
	for _, value := range []string{"0:0:0755", "1:2:4755:file", "1:2:0600:block-8-1", "1:2:3:char:4:5", "::::"} {
		f.Add([]byte(value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		o, err := ParseOverride(value)
		if err != nil {
			return
		}
		if got, err := ParseOverride(o.Append(nil)); err != nil || got != o {
			t.Errorf("%q is %+v and comes back as %+v, %v", value, o, got, err)
		}
	})
}

func TestNamesDontAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _ = User.Name(Opaque) }); n != 0 {
		t.Error(n)
	}
}

func TestNamesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for ns := range namespaces {
		for a := range attrs {
			seen[ns.Name(a)] = true
		}
	}
	if len(seen) != int(namespaces)*int(attrs) {
		t.Errorf("%v", seen)
	}
}
