package union

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/whiteout"
)

// TestMarksInEveryForm reads whiteouts and opaque directories of each form, in
// a lower layer and in upper.
func TestMarksInEveryForm(t *testing.T) {
	below := "file f \"low\"\nfile gone\ndir d\nfile d/x\nfile d/gone\ndir o\nfile o/old\ndir dead\nfile dead/x"
	marks := "whiteout gone\ndir d\nwhiteout d/gone\nopaque o\nfile o/new\nwhiteout dead\nwhiteout never"
	for _, form := range []string{"overlay", "xattr", "aufs"} {
		top := "format " + form + "\n" + marks
		for where, layers := range map[string]fstest.Layers{
			"lower": {Lower: []string{top, below}},
			"upper": {Lower: []string{below}, Upper: top},
			"under": {Lower: []string{"dir d\nfile d/top\nfile o/top", top, below}},
		} {
			t.Run(form+" in "+where, func(t *testing.T) {
				r := rigUp(t, layers)
				for range 2 {
					d, o := "- x", "- new"
					if where == "under" {
						d, o = "- top - x", "- new - top"
					}
					for path, want := range map[string]string{".": "- f d d d o", "d": d, "o": o} {
						if got := r.names(path); got != want {
							t.Errorf("%s lists %q, want %q", path, got, want)
						}
					}
					for _, path := range []string{"gone", "d/gone", "o/old", "dead", "dead/x", "never", ".wh.gone", "o/.wh..wh..opq"} {
						r.absent(path)
					}
					r.reopen()
				}
				r.clean()
			})
		}
	}
}

// TestForeignForms changes an upper that holds whiteouts in another form than
// the union writes.
func TestForeignForms(t *testing.T) {
	forms := map[string]whiteout.Format{"overlay": whiteout.FormatOverlay, "xattr": whiteout.FormatXattr, "aufs": whiteout.FormatAufs}
	ops := []fstest.Op{
		{Kind: fstest.Create, Path: "a", Mode: 0o644, Data: "new"},
		{Kind: fstest.Mkdir, Path: "b", Mode: 0o755},
		{Kind: fstest.Symlink, Path: "c", To: "x"},
		{Kind: fstest.Link, Path: "f", To: "d"},
		{Kind: fstest.Rename, Path: "f", To: "e"},
		{Kind: fstest.Rename, Path: "dir", To: "g"},
		{Kind: fstest.Rename, Path: "own", To: "h"},
	}
	for there := range forms {
		for ours, written := range forms {
			t.Run(there+" written as "+ours, func(t *testing.T) {
				names := []string{"a", "b", "c", "d", "e", "g", "h"}
				lower, upper := "file f \"f\"\ndir dir\nfile dir/x\n", "format "+there+"\ndir own\nfile own/x\n"
				for _, name := range names {
					lower += "dir " + name + "\nfile " + name + "/low\n"
					upper += "whiteout " + name + "\n"
				}
				r := rigUp(t, fstest.Layers{Lower: []string{lower}, Upper: upper}, func(r *rig) {
					r.tweak = func(u *Union) { force(u, written); u.caps.RenameWhiteout = ours == "overlay" }
				})
				for _, op := range ops {
					d := driver{u: r.u}
					if got := d.apply(op); got.Errno != 0 {
						t.Errorf("%s: %s", op, got)
					}
				}
				for range 2 {
					if got, want := r.names("."), "- a - d - e d b d g d h l c"; got != want {
						t.Errorf("lists %q, want %q", got, want)
					}
					if t.Failed() {
						return
					}
					if got := r.names("b") + r.names("g") + r.names("h"); got != "- x- x" {
						t.Errorf("directories list %q", got)
					}
					r.reopen()
				}
				for _, op := range []fstest.Op{
					{Kind: fstest.Unlink, Path: "a"}, {Kind: fstest.Rmdir, Path: "b"}, {Kind: fstest.Unlink, Path: "c"},
					{Kind: fstest.Unlink, Path: "g/x"}, {Kind: fstest.Rmdir, Path: "g"}, {Kind: fstest.Unlink, Path: "h/x"}, {Kind: fstest.Rmdir, Path: "h"},
				} {
					r.do(op)
				}
				r.reopen()
				if got, want := r.names("."), "- d - e"; got != want {
					t.Errorf("lists %q in the end, want %q", got, want)
				}
			})
		}
	}
}

// TestWhiteoutsWhereNeeded tells what upper keeps after removals.
func TestWhiteoutsWhereNeeded(t *testing.T) {
	const low = "file f\nfile g\ndir d\nfile d/x\ndir e"
	for _, c := range []struct {
		name  string
		upper string
		ops   []fstest.Op
		want  string
	}{
		{"lower file", "", []fstest.Op{{Kind: fstest.Unlink, Path: "f"}}, "w f"},
		{"upper file", "file u", []fstest.Op{{Kind: fstest.Unlink, Path: "u"}}, ""},
		{"upper over lower", "file f", []fstest.Op{{Kind: fstest.Unlink, Path: "f"}}, "w f"},
		{"copied up", "", []fstest.Op{{Kind: fstest.Append, Path: "f", Data: "x"}, {Kind: fstest.Unlink, Path: "f"}}, "w f"},
		{"lower directory", "", []fstest.Op{{Kind: fstest.Rmdir, Path: "e"}}, "w e"},
		{"emptied directory", "", []fstest.Op{{Kind: fstest.Unlink, Path: "d/x"}, {Kind: fstest.Rmdir, Path: "d"}}, "w d"},
		{"new directory", "", []fstest.Op{{Kind: fstest.Mkdir, Path: "n", Mode: 0o755}, {Kind: fstest.Rmdir, Path: "n"}}, ""},
		{"made and removed again", "", []fstest.Op{
			{Kind: fstest.Unlink, Path: "f"}, {Kind: fstest.Create, Path: "f", Mode: 0o600}, {Kind: fstest.Unlink, Path: "f"},
		}, "w f"},
		{"in an opaque directory", "opaque d\nfile d/x", []fstest.Op{{Kind: fstest.Unlink, Path: "d/x"}}, "d d"},
		{"renamed away", "", []fstest.Op{{Kind: fstest.Rename, Path: "f", To: "n"}}, "w f f n"},
		{"renamed over", "", []fstest.Op{{Kind: fstest.Rename, Path: "f", To: "g"}, {Kind: fstest.Unlink, Path: "g"}}, "w f w g"},
		{"renamed there and back", "", []fstest.Op{{Kind: fstest.Rename, Path: "f", To: "n"}, {Kind: fstest.Rename, Path: "n", To: "f"}}, "f f"},
		{"directory renamed", "", []fstest.Op{{Kind: fstest.Rename, Path: "d", To: "n"}}, "w d d n"},
		{"directory renamed onto an empty one", "", []fstest.Op{{Kind: fstest.Rename, Path: "d", To: "e"}}, "w d d e"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rigUp(t, fstest.Layers{Lower: []string{low}, Upper: c.upper})
			r.do(c.ops...)
			r.wantUpper(".", c.want)
			before := r.tree(fstest.SnapshotOptions{})
			r.clean()
			r.reopen()
			if diff := fstest.Diff(before, r.tree(fstest.SnapshotOptions{})); diff != "" {
				t.Errorf("after reopening:\n%s", diff)
			}
		})
	}
	t.Run("opaque directory holds no whiteout", func(t *testing.T) {
		r := rigUp(t, fstest.Layers{Lower: []string{low}, Upper: "opaque d\nfile d/x"})
		r.do(fstest.Op{Kind: fstest.Unlink, Path: "d/x"})
		r.wantUpper("d", "")
	})
}

// TestRmdir covers the errors.
func TestRmdir(t *testing.T) {
	r := rigUp(t, fstest.Layers{Lower: []string{"dir full\nfile full/x\nfile f\ndir hidden\nfile hidden/x"}, Upper: "dir hidden\nwhiteout hidden/x"})
	for _, c := range []struct {
		op   fstest.Op
		want unix.Errno
	}{
		{fstest.Op{Kind: fstest.Rmdir, Path: "full"}, unix.ENOTEMPTY},
		{fstest.Op{Kind: fstest.Rmdir, Path: "f"}, unix.ENOTDIR},
		{fstest.Op{Kind: fstest.Rmdir, Path: "f/x"}, unix.ENOTDIR},
		{fstest.Op{Kind: fstest.Rmdir, Path: "none"}, unix.ENOENT},
		{fstest.Op{Kind: fstest.Unlink, Path: "full"}, unix.EISDIR},
		{fstest.Op{Kind: fstest.Rmdir, Path: "hidden"}, 0},
		{fstest.Op{Kind: fstest.Rmdir, Path: "hidden"}, unix.ENOENT},
	} {
		r.fails(c.op, c.want)
	}
	r.clean()
}

// TestRemovedDirectory keeps answering whoever has it open.
func TestRemovedDirectory(t *testing.T) {
	r := rigUp(t, fstest.Layers{Lower: []string{"dir d mode=0750"}})
	n := r.get("d")
	ino := n.Ino()
	r.do(fstest.Op{Kind: fstest.Rmdir, Path: "d"})
	var attr Attr
	r.must(r.u.GetAttr(n, &attr))
	if attr.Nlink != 0 || attr.Mode != unix.S_IFDIR|0o750 || attr.Ino != ino {
		t.Errorf("removed directory: nlink %d mode %#o ino %#x", attr.Nlink, attr.Mode, attr.Ino)
	}
	_, err := r.u.Create(n, "x", &New{Mode: unix.S_IFREG | 0o644}, &attr)
	r.want("create in it", err, unix.ENOENT)
	_, err = r.u.Tmpfile(n, &New{Mode: unix.S_IFREG | 0o644}, &attr)
	r.want("tmpfile in it", err, unix.ENOENT)
	_, err = r.u.Lookup(n, "x", &attr)
	r.want("lookup in it", err, unix.ENOENT)
	r.must(r.u.SetAttr(n, &Change{Valid: SetMode, Mode: 0o700}, &attr))
	r.must(r.u.Fsync(n, false))
	_, err = r.u.GetXattr(n, xattrACLAccess, nil)
	r.want("ACL of it", err, unix.ENODATA)
	if size, err := r.u.ListXattr(n, nil, true); size != 0 || err != nil {
		t.Errorf("attributes of it: %d bytes, %v", size, err)
	}
	r.do(fstest.Op{Kind: fstest.Mkdir, Path: "d", Mode: 0o755})
	if got := r.stat("d"); got.Ino == ino {
		t.Error("a new directory has the removed one's number while that is open")
	}
	r.want("rename into it", r.u.Rename(r.u.Root(), "d", n, "d", 0), unix.ENOENT)
	for what, err := range map[string]error{
		"set an xattr of it": r.u.SetXattr(n, "user.x", []byte("1"), 0, false),
		"flags of it":        r.u.SetFlags(n, 0),
	} {
		if err != nil && err != unix.ENOENT {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.put(n)
	r.clean()
}

// TestFourGenerations uses each upper as the highest lower of the next union.
func TestFourGenerations(t *testing.T) {
	layers := fstest.Layers{Lower: []string{`
dir a/b/c
file a/b/c/f "data of f" 0644
file a/b/g "data of g"
random a/big 20000 7
file l1 "linked"
hardlink l2 = l1
sparse holes 1048576 524288 "x"
dir victim
file victim/x
`}}
	r := rigUp(t, layers)
	step := func(ops ...fstest.Op) {
		t.Helper()
		r.do(ops...)
		r.clean()
		before := r.tree(fstest.SnapshotOptions{DirNlink: true})
		r.reopen()
		if diff := fstest.Diff(before, r.tree(fstest.SnapshotOptions{DirNlink: true})); diff != "" {
			t.Fatalf("reopened:\n%s", diff)
		}
		r.nextGeneration(t, t.TempDir()+"/")
		if diff := fstest.Diff(before, r.tree(fstest.SnapshotOptions{DirNlink: true})); diff != "" {
			t.Fatalf("with a new upper:\n%s", diff)
		}
	}
	// Both names are touched: the index doesn't come along.
	step(
		fstest.Op{Kind: fstest.Rename, Path: "a/b", To: "b1"},
		fstest.Op{Kind: fstest.Chmod, Path: "a/big", Mode: 0o600},
		fstest.Op{Kind: fstest.Chmod, Path: "l1", Mode: 0o640},
		fstest.Op{Kind: fstest.Rename, Path: "l2", To: "l3"},
		fstest.Op{Kind: fstest.Rename, Path: "l1", To: "l4"},
		fstest.Op{Kind: fstest.Unlink, Path: "victim/x"},
		fstest.Op{Kind: fstest.Rmdir, Path: "victim"},
		fstest.Op{Kind: fstest.Mkdir, Path: "victim", Mode: 0o755},
	)
	step(
		fstest.Op{Kind: fstest.Rename, Path: "b1/c", To: "c2"},
		fstest.Op{Kind: fstest.Rename, Path: "b1", To: "a/b2"},
		fstest.Op{Kind: fstest.Chmod, Path: "c2/f", Mode: 0o755},
		fstest.Op{Kind: fstest.Rename, Path: "a/big", To: "a/b2/big2"},
		fstest.Op{Kind: fstest.Rename, Path: "l3", To: "l5"},
		fstest.Op{Kind: fstest.Rename, Path: "l4", To: "victim/l6"},
	)
	step(
		fstest.Op{Kind: fstest.Rename, Path: "a", To: "z"},
		fstest.Op{Kind: fstest.Rename, Path: "c2", To: "a"},
		fstest.Op{Kind: fstest.Unlink, Path: "z/b2/g"},
		fstest.Op{Kind: fstest.Rename, Path: "a/f", To: "z/b2/g"},
		fstest.Op{Kind: fstest.Chown, Path: "z/b2/big2", UID: 5, GID: 6},
		fstest.Op{Kind: fstest.Chmod, Path: "holes", Mode: 0o600},
	)
	step(
		fstest.Op{Kind: fstest.Append, Path: "z/b2/big2", Data: "tail"},
		fstest.Op{Kind: fstest.Append, Path: "z/b2/g", Data: " and more"},
		fstest.Op{Kind: fstest.Write, Path: "holes", Off: 5, Data: "y"},
		fstest.Op{Kind: fstest.Rmdir, Path: "a"},
	)
	r.wantContent("z/b2/big2", string(fstest.RandomBytes(20000, 7))+"tail")
	r.wantContent("z/b2/g", "data of f and more")
	r.wantContent("l5", "linked")
	r.wantContent("victim/l6", "linked")
	if a, b := r.stat("l5"), r.stat("victim/l6"); a.Ino != b.Ino || a.Nlink != 2 {
		t.Errorf("the links have numbers %#x and %#x, nlink %d", a.Ino, b.Ino, a.Nlink)
	}
	if got := r.stat("holes"); got.Blocks > 64 {
		t.Errorf("the sparse file takes %d blocks", got.Blocks)
	}
	if got := r.names("z"); got != "d b2" {
		t.Errorf("z lists %q", got)
	}
	r.absent("a")
}

// TestStrangeLayers is for layers that nobody sane wrote: answers may be
// errors, but the union stands and stays inside.
func TestStrangeLayers(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.MkdirAll(secret+"/inner", 0o755); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 60000)
	redirect := func(to string) string { return "trusted.overlay.redirect=" + "\"" + to + "\"" }
	for _, c := range []struct {
		name   string
		layers []string
		also   func(dirs fstest.Dirs)
	}{
		{"redirect to itself", []string{"dir a " + redirect("/a"), "dir a " + redirect("a"), "dir a\nfile a/x"}, nil},
		{"redirects in a circle", []string{"dir a " + redirect("/b") + "\ndir b " + redirect("/a"), "dir a " + redirect("/b/c") + "\ndir b " + redirect("/a/b/c"), "dir a\nfile a/x"}, nil},
		{"redirect upwards", []string{"dir a " + redirect("../secret") + "\ndir b " + redirect("/../secret") + "\ndir c " + redirect("..") + "\ndir d " + redirect("/a/../../b"), "dir a\nfile a/x"}, nil},
		{"redirect to a file", []string{"dir a " + redirect("/f"), "file f"}, nil},
		{"redirect through a symlink", []string{"dir a " + redirect("/link/inner"), "symlink link -> " + secret}, nil},
		{"redirect of odd forms", []string{"dir a " + redirect("/") + "\ndir b " + redirect("//") + "\ndir c " + redirect(".") + "\ndir d " + redirect("a/b"), "dir a\nfile a/x"}, nil},
		{"redirect of 60 KB", []string{"dir a", "dir a\nfile a/x"}, func(dirs fstest.Dirs) {
			_ = unix.Setxattr(dirs.Lower[0]+"/a", "trusted.overlay.redirect", []byte("/"+long), 0) // ext4 may refuse
		}},
		{"metacopy without data", []string{"file f \"xx\" trusted.overlay.metacopy=\"\""}, nil},
		{"metacopy in a circle", []string{"file f \"xx\" trusted.overlay.metacopy=\"\" " + redirect("/g"), "file g \"xx\" trusted.overlay.metacopy=\"\" " + redirect("/f"), "file f \"xx\" trusted.overlay.metacopy=\"\" " + redirect("/g")}, nil},
		{"metacopy of a directory", []string{"file f \"xx\" trusted.overlay.metacopy=\"\"", "dir f"}, nil},
		{"metacopy upwards", []string{"file f \"xx\" trusted.overlay.metacopy=\"\" " + redirect("../secret/f")}, nil},
		{"whiteouts of dots", []string{"file .wh..\nfile .wh...\nfile .wh.", "file x"}, nil},
		{"whiteout of a whiteout", []string{"file .wh..wh.x\nfile .wh..wh..wh..opq", "file x\nfile .wh.x"}, nil},
		{"whiteout that is a directory", []string{"dir .wh.x", "file x"}, nil},
		{"opaque of any value", []string{"dir a trusted.overlay.opaque=\"" + strings.Repeat("y", 200) + "\"", "dir a\nfile a/x"}, nil},
		{"origin of any value", []string{"file f trusted.unionfs.origin=\"junk\"\nfile g trusted.overlay.unionfs.links=\"-5\"", "file f"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, top := range []string{"lower", "upper"} {
				layers := fstest.Layers{Lower: c.layers}
				if top == "upper" {
					layers = fstest.Layers{Lower: append(c.layers[1:], ""), Upper: c.layers[0]}
				}
				dirs := layers.Dirs(t)
				if c.also != nil && top == "lower" {
					c.also(dirs)
				}
				r := rigUp(t, fstest.Layers{At: &dirs})
				walkAll(r, ".", 0)
				for _, name := range []string{"a", "b", "c", "d", "f", "g"} {
					d := driver{u: r.u}
					d.apply(fstest.Op{Kind: fstest.Chmod, Path: name, Mode: 0o711})
					d.apply(fstest.Op{Kind: fstest.Append, Path: name, Data: "y"})
					d.apply(fstest.Op{Kind: fstest.Rename, Path: name, To: name + "2"})
					d.apply(fstest.Op{Kind: fstest.Create, Path: name + "2/new", Mode: 0o644})
				}
				walkAll(r, ".", 0)
				r.clean()
				r.reopen()
				walkAll(r, ".", 0)
			}
			if entries, _ := os.ReadDir(secret); len(entries) != 1 {
				t.Error("something was written outside of the layers")
			}
		})
	}
}

// walkAll looks at all that there is; errors are fine, loops and the outside aren't.
func walkAll(r *rig, path string, depth int) {
	if depth > 30 {
		r.Errorf("%s: no end", path)
		return
	}
	if strings.Contains(path, "inner") {
		r.Errorf("%s leads outside", path)
	}
	n, _, err := r.find(path)
	if err != nil {
		return
	}
	defer r.put(n)
	if n.dir == nil {
		if n.isRegular() {
			_, _ = readWhole(r.u, n)
		}
		return
	}
	var names []string
	_ = r.u.ReadDir(n, 0, false, func(e *DirEntry) bool {
		if e.Name != "." && e.Name != ".." {
			names = append(names, e.Name)
		}
		return true
	})
	for _, name := range names {
		walkAll(r, path+"/"+name, depth+1)
	}
}
