package layertar_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"unionfs/fs/hostfs"
	"unionfs/layerstore/layertar"
	"unionfs/whiteout"
)

func TestOrder(t *testing.T) {
	for name, c := range map[string]struct {
		archive []any
		want    string
	}{
		"whiteouts": {
			[]any{dir("d"), file("d/.wh.x"), file(".wh.gone")},
			"d/ d/.wh.x .wh.gone",
		},
		"opaque first": {
			[]any{dir("d"), file("d/.wh..wh..opq"), file("d/x"), "1"},
			"d/ d/.wh..wh..opq d/x=1",
		},
		"opaque last removes no siblings": {
			[]any{dir("d"), file("d/x"), "1", dir("d/e"), file("d/.wh..wh..opq")},
			"d/ d/.wh..wh..opq d/e/ d/x=1",
		},
		"whiteout before the file": {[]any{file(".wh.x"), file("x"), "1"}, "x=1"},
		"whiteout after the file":  {[]any{file("x"), "1", file(".wh.x")}, "x=1"},
		"whiteout before the directory": {
			[]any{file(".wh.x"), dir("x"), file("x/y"), "1"},
			"x/ x/.wh..wh..opq x/y=1",
		},
		"whiteout after the directory": {
			[]any{dir("x"), file("x/y"), "1", file(".wh.x")},
			"x/ x/.wh..wh..opq x/y=1",
		},
		"whiteout before an implied directory": {
			[]any{file(".wh.x"), file("x/y"), "1"},
			"x/ x/.wh..wh..opq x/y=1",
		},
		"whiteouts of any kind": {
			[]any{dir("d"), dir("d/.wh.x"), dir("d/.wh.y"), file("d/y"), "1", symlink(".wh.l", "d"), link(".wh.h", "d/y")},
			"d/ d/.wh.x d/y=1 .wh.h .wh.l",
		},
		"whiteout and symlink": {[]any{symlink("x", "y"), file(".wh.x")}, "x->y"},
		"opaque root":          {[]any{file(".wh..wh..opq"), file("x"), "1"}, ".wh..wh..opq x=1"},
		"bookkeeping of aufs":  {[]any{file(".wh..wh.aufs"), dir(".wh..wh.plnk"), file(".wh..wh.plnk/1"), "x", file("y"), "1"}, "y=1"},

		"hard links of aufs": {[]any{dir(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), "x", link("y", ".wh..wh.plnk/1.2"), link("z", ".wh..wh.plnk/1.2")}, "y=x z==y"},

		"file over file":              {[]any{file("x"), "1", file("x"), "22"}, "x=22"},
		"file over hard link":         {[]any{file("x"), "1", link("y", "x"), file("y"), "2"}, "x=1 y=2"},
		"file over directory":         {[]any{dir("x"), file("x/y"), "1", dir("x/z"), file("x"), "2"}, "x=2"},
		"directory over file":         {[]any{file("x"), "1", dir("x"), file("x/y"), "2"}, "x/ x/.wh..wh..opq x/y=2"},
		"directory over symlink":      {[]any{dir("a"), symlink("x", "a"), dir("x"), file("x/y"), "2"}, "a/ x/ x/.wh..wh..opq x/y=2"},
		"directory over directory":    {[]any{dir("x"), file("x/y"), "1", dir("x"), file("x/z"), "2"}, "x/ x/y=1 x/z=2"},
		"symlink over directory":      {[]any{dir("x"), file("x/y"), "1", symlink("x", "a")}, "x->a"},
		"symlink over file":           {[]any{file("x"), "1", symlink("x", "a")}, "x->a"},
		"hard link over directory":    {[]any{file("a"), "1", dir("x"), file("x/y"), "2", link("x", "a")}, "a=1 x==a"},
		"directory, file, directory":  {[]any{dir("x"), file("x/y"), "1", file("x"), dir("x")}, "x/ x/.wh..wh..opq"},
		"hard link to itself":         {[]any{file("x"), "1", link("x", "x")}, "x=1"},
		"hard link to a symlink":      {[]any{symlink("x", "/etc"), link("y", "x")}, "x->/etc y==x"},
		"hard links in a row":         {[]any{file("x"), "1", link("y", "x"), link("d/z", "/y")}, "d/ d/z=1 x==d/z y==d/z"},
		"hard link to what is absent": {[]any{file("x"), "1", file("y"), link("z", "./y")}, "x=1 y z==y"},

		"absolute names":         {[]any{file("/a/x"), "1"}, "a/ a/x=1"},
		"dots and slashes":       {[]any{file(".//a/./x"), "1"}, "a/ a/x=1"},
		"below a symlink":        {[]any{dir("usr/lib"), symlink("lib", "usr/lib"), file("lib/x"), "1"}, "lib->usr/lib usr/ usr/lib/ usr/lib/x=1"},
		"below an absolute one":  {[]any{symlink("lib", "/usr/lib"), file("lib/x"), "1"}, "lib->/usr/lib usr/ usr/lib/ usr/lib/x=1"},
		"below one that escapes": {[]any{symlink("a/b", "../../../../out"), file("a/b/x"), "1"}, "a/ a/b->../../../../out out/ out/x=1"},
		"below a chain":          {[]any{symlink("a", "b"), symlink("b", "c"), file("a/x"), "1"}, "a->b b->c c/ c/x=1"},
		"swapped below a name": {
			[]any{dir("a"), file("a/x"), "1", symlink("a", "/tmp"), file("a/y"), "2"},
			"a->/tmp tmp/ tmp/y=2",
		},
		"a directory of a whiteout's name": {[]any{dir("a"), file("a/x"), "1"}, "a/ a/x=1"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, how := range ways() {
				for _, format := range []whiteout.Format{whiteout.FormatOverlay, whiteout.FormatXattr, whiteout.FormatAufs} {
					codec := whiteout.NewCodec(format, whiteout.User)
					u, err := unpackInto(t, entries(t, c.archive...), layertar.UnpackOptions{IDs: how, Codec: codec})
					if err != nil {
						t.Fatal(err)
					}
					if got := shapeIn(t, u, how); got != c.want {
						t.Errorf("ids %d, marks in the form %v: got  %s\nwant %s", how, format, got, c.want)
					}
				}
			}
		})
	}
}

func TestRefused(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, c := range map[string]struct {
		archive []any
		says    string
	}{
		"parent":                 {[]any{file("../x")}, `".."`},
		"parent in the middle":   {[]any{file("a/../../x")}, `".."`},
		"whiteout of nothing":    {[]any{file("a/.wh.")}, "whiteout of"},
		"whiteout of dot":        {[]any{file(".wh..")}, "whiteout of"},
		"whiteout of dot dot":    {[]any{file("a/.wh...")}, "whiteout of"},
		"whiteout of a whiteout": {[]any{file(".wh..wh.x")}, ""},
		"file as the root":       {[]any{file(".")}, "root"},
		"long name":              {[]any{file(long)}, "256 bytes"},
		"long path":              {[]any{file(strings.Repeat("long/", 1000) + "x")}, "4095"},
		"below a file":           {[]any{file("x"), "1", file("x/y")}, "no directory"},
		"link to nothing":        {[]any{link("x", "y")}, "no file of this layer"},
		"link to outside":        {[]any{link("x", "../../etc/passwd")}, `".."`},
		"link to a host's file":  {[]any{link("x", "/etc/passwd")}, "no file of this layer"},
		"link to a directory":    {[]any{dir("d"), link("x", "d")}, "directory"},
		"link to the root":       {[]any{link("x", "/")}, "root"},
		"link into itself":       {[]any{file("d/x"), "1", link("d", "d/x")}, "no file of this layer"},
		"symlinks in a circle":   {[]any{symlink("a", "b"), symlink("b", "a"), file("a/x")}, "circle"},
		"link to a whiteout":     {[]any{file(".wh.x"), link("y", "x")}, "no file of this layer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unpackInto(t, entries(t, c.archive...), layertar.UnpackOptions{IDs: ids()})
			if name == "whiteout of a whiteout" {
				if err != nil {
					t.Fatal(err) // aufs' own names say nothing
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
		})
	}
}

func TestNamesThatNoWriterMakes(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"a-name", "\x00-name"}, // ends the name: an empty one
	} {
		archive := entries(t, file(c.from))
		archive = bytes.Replace(archive, []byte(c.from), []byte(c.to), 1)
		fixChecksum(archive[:512])
		if _, err := unpackInto(t, archive, layertar.UnpackOptions{IDs: ids()}); err == nil {
			t.Errorf("%q was taken", c.to)
		}
	}
}

// fixChecksum makes a changed header valid (POSIX pax, "chksum").
func fixChecksum(h []byte) {
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	for i := 5; i >= 0; i-- {
		h[148+i] = '0' + byte(sum&7)
		sum >>= 3
	}
	h[154] = 0
}

func TestLimits(t *testing.T) {
	var limit *layertar.LimitError
	big := entries(t, file("x"), "12345", file("y"), "12345")
	_, err := unpackInto(t, big, layertar.UnpackOptions{IDs: ids(), MaxBytes: 9})
	if !errors.As(err, &limit) || limit.Limit != 9 {
		t.Errorf("too many bytes: %v", err)
	}
	if _, err := unpackInto(t, big, layertar.UnpackOptions{IDs: ids(), MaxBytes: 10, MaxEntries: 2}); err != nil {
		t.Error(err)
	}
	_, err = unpackInto(t, big, layertar.UnpackOptions{IDs: ids(), MaxEntries: 1})
	if !errors.As(err, &limit) {
		t.Errorf("too many entries: %v", err)
	}
	_, err = unpackInto(t, entries(t, file("a/b/c/d/e")), layertar.UnpackOptions{IDs: ids(), MaxEntries: 3})
	if !errors.As(err, &limit) {
		t.Errorf("implied directories don't count: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	data := strings.Repeat("x", 1<<20)
	whole := entries(t, file("x"), data, file("y"), "1")
	for _, n := range []int{1, 511, 513, 600, 100_000, 1 << 20} {
		if _, err := unpackInto(t, whole[:n], layertar.UnpackOptions{IDs: ids()}); err == nil {
			t.Errorf("%d bytes of %d were taken for an archive", n, len(whole))
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("no more")
	r, w := io.Pipe()
	tree := t.TempDir()
	go func() {
		tw := tar.NewWriter(w)
		for i := 0; ; i++ {
			if i == 100 {
				cancel(why)
			}
			h := tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("x", i%200+1), Size: 1 << 20, Mode: 0o644}
			if tw.WriteHeader(&h) != nil {
				return
			}
			if _, err := tw.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}()
	_, err := layertar.Unpack(ctx, r, openDir(t, tree), layertar.UnpackOptions{IDs: ids(), Codec: codecFor(t, t.TempDir())})
	r.CloseWithError(err)
	if !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
}

func TestLinksOfSummary(t *testing.T) {
	u := unpack(t, entries(t,
		file("a"), "1", link("d/b", "a"), link("c", "d/b"),
		file("x"), "2", link("y", "x"), file("y"), "3",
		dir("gone"), file("gone/1"), "4", link("2", "gone/1"), file("gone"), "5",
		symlink("s", "t"), link("s2", "s")))
	want := [][]string{{"a", "c", "d/b"}, {"s", "s2"}}
	if len(u.sum.Links) != 2 || strings.Join(u.sum.Links[0], " ") != strings.Join(want[0], " ") || strings.Join(u.sum.Links[1], " ") != strings.Join(want[1], " ") {
		t.Errorf("got %v, want %v", u.sum.Links, want)
	}
}

// TestNothingStaysOpen: descriptors and goroutines end with Unpack, however it
// ends.
func TestNothingStaysOpen(t *testing.T) {
	archive := entries(t, dir("a"), file("a/x"), strings.Repeat("x", 1<<20), file("b/c/d/e"), "1", link("f", "b/c/d/e"), file("../bad"))
	codec := codecFor(t, t.TempDir())
	tree := openDir(t, t.TempDir())
	once := func() {
		_, err := layertar.Unpack(context.Background(), bytes.NewReader(archive), tree, layertar.UnpackOptions{IDs: ids(), Codec: codec})
		if err == nil {
			t.Fatal("a bad archive was taken")
		}
	}
	once() // whatever is opened once for good
	before, running := descriptors(t), runtime.NumGoroutine()
	for range 20 {
		if err := hostfs.RemoveChildren(tree); err != nil {
			t.Fatal(err)
		}
		once()
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, and %d were", after, before)
	}
	// One that has said that it is done may still be on its way out.
	for stop := time.Now().Add(time.Minute); runtime.NumGoroutine() > running; time.Sleep(time.Millisecond) {
		if time.Now().After(stop) {
			t.Fatalf("%d goroutines run, and %d did", runtime.NumGoroutine(), running)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
