package whiteout

import (
	"maps"
	"slices"
	"testing"

	"unionfs/fs/hostfs"
)

// markLayer makes a layer: two whiteouts in the root and below, one opaque
// directory with a whiteout in it.
func markLayer(t *testing.T, d int, c Codec) {
	t.Helper()
	check(t, hostfs.Mkdir(d, "sub", 0o755))
	check(t, hostfs.Mkdir(d, "opaque", 0o755))
	check(t, makeEmpty(d, "keep"))
	for _, path := range []string{"", "sub", "opaque"} {
		fd, err := hostfs.OpenDir(d, path)
		check(t, err)
		check(t, c.Make(fd, "gone"))
		if path == "opaque" {
			check(t, c.MakeOpaque(fd))
		}
		hostfs.Close(fd)
	}
}

func TestConvert(t *testing.T) {
	ns := hostNamespace(t, handle(t, t.TempDir()))
	for _, from := range codecs(ns) {
		for _, to := range append(codecs(ns), NewCodec(FormatXattr, User)) {
			d := handle(t, t.TempDir())
			markLayer(t, d, from)
			_, err := Convert(d, to)
			check(t, err)
			again, err := Convert(d, to)
			check(t, err)
			u, err := Detect(d)
			check(t, err)
			if u.Whiteouts[to.Format()] != 3 || !slices.Equal(u.Formats(), []Format{to.Format()}) {
				t.Errorf("%s to %s: %+v, %v, again %d", from.Format(), to.Format(), u, u.Formats(), again)
			}
			if u.Opaque[Trusted]+u.Opaque[User]+u.AufsOpaque != 1 {
				t.Errorf("%s to %s: opaque %+v", from.Format(), to.Format(), u)
			}
			for path, opaque := range map[string]bool{"": false, "sub": false, "opaque": true} {
				fd, err := hostfs.OpenDir(d, path)
				check(t, err)
				_, hides, got := classes(t, fd)
				if !maps.Equal(hides, map[string]bool{"gone": true}) || got != opaque {
					t.Errorf("%s to %s: %q hides %v, opaque %v", from.Format(), to.Format(), path, hides, got)
				}
				hostfs.Close(fd)
			}
		}
	}
}

// In the aufs form a whiteout may stand beside the name that it hides below.
func TestConvertWhiteoutBesideItsName(t *testing.T) {
	d := handle(t, t.TempDir())
	ns := hostNamespace(t, d)
	check(t, hostfs.Mkdir(d, "dir", 0o755))
	check(t, makeEmpty(d, "file"))
	check(t, aufs{}.Make(d, "dir"))
	check(t, aufs{}.Make(d, "file"))
	_, err := Convert(d, overlay{ns})
	check(t, err)
	plain, hides, _ := classes(t, d)
	slices.Sort(plain)
	if !slices.Equal(plain, []string{"dir", "file"}) || len(hides) != 0 {
		t.Errorf("%q %v", plain, hides)
	}
	if m, err := ReadDirMarks(d, "dir"); err != nil || !m.Opaque {
		t.Errorf("%+v, %v", m, err)
	}
}
