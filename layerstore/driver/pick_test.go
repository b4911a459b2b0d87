package driver

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"unionfs/layerstore"
)

// fake is a driver that says of itself what it is told to.
type fake struct {
	Driver
	name    string
	missing string
}

func (f fake) Name() string { return f.name }

func (f fake) Probe() Probe {
	return Probe{OK: f.missing == "", Found: []string{"looked at " + f.name}, Missing: f.missing}
}

// faked puts fakes in the places of the drivers until the test ends.
func faked(t *testing.T, missing map[string]string) {
	t.Helper()
	real := slices.Clone(drivers)
	t.Cleanup(func() { copy(drivers, real) })
	for i, d := range drivers {
		drivers[i].make = func(*layerstore.Store) Driver { return fake{name: d.name, missing: missing[d.name]} }
	}
}

func TestAuto(t *testing.T) {
	s := storeIn(t, t.TempDir())
	for _, c := range []struct {
		missing map[string]string
		want    string
		probed  int
		why     string
	}{
		{nil, "union", 1, "it is the default, and nothing it needs is missing"},
		{map[string]string{"union": "no FUSE"}, "overlay", 2, "union can't work here: no FUSE"},
		{map[string]string{"union": "no FUSE", "overlay": "an old kernel"}, "vfs", 3, "overlay can't work here: an old kernel"},
	} {
		for _, name := range []string{"", "auto"} {
			t.Run(c.want, func(t *testing.T) {
				faked(t, c.missing)
				d, choice, err := Pick(name, s)
				if err != nil {
					t.Fatal(err)
				}
				if d.Name() != c.want || choice.Name != c.want || choice.Why != c.why || len(choice.Probed) != c.probed {
					t.Errorf("picked %s: %+v", d.Name(), choice)
				}
				if last := choice.Probed[c.probed-1]; !last.OK || !slices.Equal(last.Found, []string{"looked at " + c.want}) {
					t.Errorf("the last probe is %+v", last)
				}
			})
		}
	}
}

func TestAutoFindsNone(t *testing.T) {
	faked(t, map[string]string{"union": "no FUSE", "overlay": "an old kernel", "vfs": "no rights"})
	_, c, err := Pick("auto", storeIn(t, t.TempDir()))
	want := "no storage driver can work here: union: no FUSE; overlay: an old kernel; vfs: no rights"
	if err == nil || err.Error() != want || len(c.Probed) != 3 {
		t.Errorf("got %v, want %s (%d were asked)", err, want, len(c.Probed))
	}
}

func TestPickNamed(t *testing.T) {
	faked(t, map[string]string{"zfs": "no zfs"})
	s := storeIn(t, t.TempDir())
	d, c, err := Pick("btrfs", s)
	if err != nil || d.Name() != "btrfs" || c.Why != "it was asked for" || c.Backing != backing(s.Root()) {
		t.Errorf("btrfs: %+v, %v", c, err)
	}
	if _, _, err := Pick("zfs", s); err == nil || err.Error() != "the storage driver zfs can't work here: no zfs" {
		t.Errorf("zfs: %v", err)
	}
	if _, _, err := Pick("floppy", s); err == nil || !strings.Contains(err.Error(), "union, overlay, vfs, btrfs, zfs and auto") {
		t.Errorf("floppy: %v", err)
	}
	if _, err := Of(layerstore.Snapshot{ID: strings.Repeat("a", 64), Driver: "floppy"}, s); err == nil || !strings.Contains(err.Error(), "snapshot aaa") {
		t.Errorf("a snapshot of floppy: %v", err)
	}
}

// counted are plain directories that count what is done with them.
type counted struct {
	plainDirs
	made, derived int
	broken        error
}

func (c *counted) make(dir string) error {
	c.made++
	return c.plainDirs.make(dir)
}

func (c *counted) derive(dir, from string) error {
	c.derived++
	if c.broken != nil {
		return c.broken
	}
	return c.plainDirs.make(dir) // an empty one: what was in from shows who asked
}

// A base is made once, of the nearest that there is.
func TestBases(t *testing.T) {
	s, _ := realStore(t, t.TempDir())
	b := &bench{T: t, d: newVFS(s), s: s}
	b.image()
	vol := &counted{plainDirs: plainDirs{s}}
	f := &folder{s: s, name: "test", vol: vol}
	use := func(n int, want ...string) {
		t.Helper()
		err := f.with(t.Context(), b.chain[:n], func(dir string) error {
			for _, name := range want {
				if !exists(dir + "/" + name) {
					t.Errorf("%s isn't in the base of %d layers", name, n)
				}
			}
			// Whoever uses one keeps all from being collected.
			return f.collect(t.Context())
		})
		if err != nil {
			t.Error(err)
		}
	}
	use(1, "etc", "big")
	use(1, "etc", "big")
	use(3, "data", "top") // of the first
	if vol.made != 1 || vol.derived != 1 || exists(f.place(b.chain)+"/big") {
		t.Errorf("%d bases were made anew and %d of others", vol.made, vol.derived)
	}
	if err := f.collect(t.Context()); err != nil || exists(f.place(b.chain)) {
		t.Errorf("a base that nobody needs stays: %v", err)
	}
	use(1)
	vol.broken = errors.New("broken")
	if err := f.with(t.Context(), b.chain, func(string) error { return nil }); err != vol.broken || exists(f.place(b.chain)) {
		t.Errorf("got %v, want that it is broken", err)
	}
}
