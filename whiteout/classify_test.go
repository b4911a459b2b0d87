package whiteout

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

func TestMadeMarksAreRead(t *testing.T) {
	ns := hostNamespace(t, handle(t, t.TempDir()))
	for _, c := range codecs(ns) {
		t.Run(c.Format().String(), func(t *testing.T) {
			d := handle(t, t.TempDir())
			check(t, makeEmpty(d, "file"))
			for _, name := range []string{"a", "\xff\xfe", "b c"} {
				check(t, c.Make(d, name))
				if err := c.Make(d, name); err != unix.EEXIST {
					t.Errorf("%q again: %v", name, err)
				}
			}
			if err := c.Make(d, ".."); err != unix.EINVAL {
				t.Error(err)
			}
			for round := range 2 {
				plain, hides, opaque := classes(t, d)
				if !slices.Equal(plain, []string{"file"}) || len(hides) != 3 || !hides["\xff\xfe"] || opaque {
					t.Errorf("round %d: %q %v %v", round, plain, hides, opaque)
				}
				check(t, c.MakeOpaque(d))
				check(t, c.MakeOpaque(d))
				check(t, c.Make(d, "later"))
				plain, hides, opaque = classes(t, d)
				if !slices.Equal(plain, []string{"file"}) || len(hides) != 4 || !opaque {
					t.Errorf("opaque, round %d: %q %v %v", round, plain, hides, opaque)
				}
				check(t, hostfs.Unlink(d, c.MarkName("later")))
				check(t, c.ClearOpaque(d))
				check(t, c.ClearOpaque(d))
			}
		})
	}
}

func TestClearOpaqueTakesEveryForm(t *testing.T) {
	d := handle(t, t.TempDir())
	ns := hostNamespace(t, d)
	for _, c := range codecs(ns) {
		for _, other := range codecs(User) {
			check(t, other.MakeOpaque(d))
		}
		check(t, hostfs.Setxattr(d, "", fuseOpaque, []byte("y"), 0))
		if _, _, opaque := classes(t, d); !opaque {
			t.Error("not opaque")
		}
		check(t, c.ClearOpaque(d))
		if _, _, opaque := classes(t, d); opaque {
			t.Errorf("%s: still opaque", c.Format())
		}
	}
}

func TestClassifyUsersFiles(t *testing.T) {
	d := handle(t, t.TempDir())
	ns := hostNamespace(t, d)
	check(t, makeEmpty(d, ".wh.mine"))
	check(t, hostfs.Chmod(d, ".wh.mine", 0o644)) // user.* needs write permission
	check(t, hostfs.Setxattr(d, ".wh.mine", ns.Name(PlainName), nil, 0))
	check(t, makeEmpty(d, ".wh."))
	check(t, makeEmpty(d, ".wh..."))
	check(t, makeEmpty(d, ".wh..wh.plnk"))
	check(t, hostfs.Mkdir(d, ".wh.dir", 0o755))
	check(t, hostfs.Symlink("x", d, ".wh.link"))
	check(t, hostfs.Mknod(d, ".wh.fifo", unix.S_IFIFO|0o600, 0))
	fd, err := hostfs.Open(d, ".wh.full", unix.O_CREAT|unix.O_WRONLY, 0o644)
	check(t, err)
	_, err = hostfs.Pwrite(fd, []byte("data"), 0)
	check(t, err)
	hostfs.Close(fd)
	// Without the directory's announcement an xattr makes no whiteout.
	check(t, makeEmpty(d, "unannounced"))
	check(t, hostfs.Chmod(d, "unannounced", 0o644))
	check(t, hostfs.Setxattr(d, "unannounced", ns.Name(Whiteout), nil, 0))
	plain, hides, opaque := classes(t, d)
	slices.Sort(plain)
	want := []string{".wh.", ".wh...", ".wh.dir", ".wh.fifo", ".wh.full", ".wh.link", ".wh.mine", "unannounced"}
	if !slices.Equal(plain, want) || len(hides) != 0 || opaque {
		t.Errorf("%q %v %v", plain, hides, opaque)
	}
}

func TestDirMarks(t *testing.T) {
	d := handle(t, t.TempDir())
	ns := hostNamespace(t, d)
	check(t, hostfs.Mkdir(d, "sub", 0o755))
	if m, err := ReadDirMarks(d, "sub"); err != nil || m != (DirMarks{}) {
		t.Errorf("%+v, %v", m, err)
	}
	check(t, hostfs.Setxattr(d, "sub", ns.Name(Redirect), []byte("/a/b"), 0))
	check(t, hostfs.Setxattr(d, "sub", ns.Name(Opaque), []byte("yes"), 0))
	check(t, hostfs.Setxattr(d, "sub", "user.other", make([]byte, 100), 0))
	if m, err := ReadDirMarks(d, "sub"); err != nil || m != (DirMarks{Redirect: "/a/b", HasRedirect: true}) {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := ReadDirMarks(d, "none"); err != unix.ENOENT {
		t.Error(err)
	}
	if n := testing.AllocsPerRun(100, func() { ReadDirMarks(d, "") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	d := handle(t, dir)
	for _, force := range []bool{false, true} {
		c, caps, err := Probe(d, force)
		check(t, err)
		t.Logf("%+v", caps)
		if c.Format() != caps.Format || force && caps.Namespace != User {
			t.Errorf("%v, %+v", c.Format(), caps)
		}
	}
	check(t, hostfs.ListDir(d, "", func(name []byte, _ uint64, _ uint8) error {
		t.Errorf("left: %q", name)
		return nil
	}))
	if _, _, err := Probe(handle(t, "/proc/self"), false); err == nil {
		t.Error("no error where nothing can be made")
	}
}

// FuzzClassify looks for names that are read as the mark of something that no
// codec could have named.
func FuzzClassify(f *testing.F) {
	for _, name := range markNames {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if aufsLike([]byte(name)) != (len(name) > 4 && name[:4] == ".wh." && name != ".wh.." && name != ".wh...") {
			t.Errorf("%q", name)
		}
		if m, ok := decodeAufsName(name); ok && !aufsLike([]byte(name)) {
			t.Errorf("%q decodes to %+v and isn't like it", name, m)
		}
		class, of, err := Classify(-1, DirMarks{}, []byte(name), unix.DT_DIR)
		if class != Plain || of != nil || err != nil {
			t.Errorf("directory %q: %v %q %v", name, class, of, err)
		}
	})
}
