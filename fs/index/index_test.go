package index

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// tree makes a directory with a bit of everything that this user may make.
func tree(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "diff")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.MkdirAll(dir+"/a/b/c", 0o755))
	check(os.WriteFile(dir+"/a/file", []byte("hello"), 0o640))
	check(os.WriteFile(dir+"/a/empty", nil, 0o600))
	check(os.Link(dir+"/a/file", dir+"/a/b/link"))
	check(os.Symlink("somewhere/else", dir+"/a/symlink"))
	check(unix.Mkfifo(dir+"/a/fifo", 0o600))
	check(os.WriteFile(dir+"/a/\xff\xfe not text", nil, 0o600))
	check(unix.Mknod(dir+"/a/gone", unix.S_IFCHR, 0))
	check(unix.Lsetxattr(dir+"/a/file", "user.one", []byte("1"), 0))
	check(unix.Lsetxattr(dir+"/a/file", "user.two", bytes.Repeat([]byte("2"), 300), 0))
	check(unix.Lsetxattr(dir+"/a/b", "user.overlay.opaque", []byte("y"), 0))
	for i := range 300 {
		check(os.WriteFile(fmt.Sprintf("%s/a/b/c/%d", dir, i), nil, 0o600))
	}
	return dir
}

func openDir(t testing.TB, dir string) int {
	t.Helper()
	fd, err := hostfs.OpenLayer(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hostfs.Close(fd) })
	return fd
}

// written writes the tree's index and opens it as file.
func written(t testing.TB, dir string) *os.File {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, openDir(t, dir)); err != nil {
		t.Fatal(err)
	}
	return fileOf(t, b.Bytes())
}

func fileOf(t testing.TB, data []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func open(t testing.TB, f *os.File, dir string) *Index {
	t.Helper()
	x, err := Open(int(f.Fd()), openDir(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

// What the index says is what the tree says, of every object.
func TestIndexIsTheTree(t *testing.T) {
	dir := tree(t)
	x := open(t, written(t, dir), dir)
	if err := x.Check(); err != nil {
		t.Error(err)
	}
	seen := 0
	var compare func(d Dir, path string)
	compare = func(d Dir, path string) {
		fd := openDir(t, path)
		names := map[string]bool{}
		last := ""
		err := x.List(d, func(e Entry) error {
			seen++
			name := string(e.Name())
			if name <= last {
				t.Errorf("%s: %q comes after %q", path, name, last)
			}
			last, names[name] = name, true
			compareEntry(t, x, d, fd, e)
			if child, ok := e.Dir(); ok {
				compare(child, path+"/"+name)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		entries, err := os.ReadDir(path)
		if err != nil || len(entries) != len(names) {
			t.Errorf("%s: %d names in the index, %d in the tree (%v)", path, len(names), len(entries), err)
		}
	}
	compare(0, dir)
	if seen != 310 {
		t.Errorf("%d objects compared, want 310", seen)
	}
}

func compareEntry(t *testing.T, x *Index, d Dir, fd int, e Entry) {
	t.Helper()
	name := string(e.Name())
	var want, got unix.Statx_t
	if err := hostfs.Statx(fd, name, &want); err != nil {
		t.Fatal(err)
	}
	e.Stat(&got)
	want.Attributes, want.Attributes_mask, want.Mnt_id = 0, 0, 0
	want.Dio_mem_align, want.Dio_offset_align, want.Subvol = 0, 0, 0
	want.Atomic_write_unit_min, want.Atomic_write_unit_max, want.Atomic_write_segments_max = 0, 0, 0
	got.Mask = want.Mask
	if want.Mode&unix.S_IFMT != unix.S_IFREG {
		got.Atime = want.Atime // reading directories and links for the index was an access
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: the index says\n%+v\nand the tree\n%+v", name, got, want)
	}
	if e.Ino() != want.Ino || e.Type() != uint8(want.Mode&unix.S_IFMT>>12) {
		t.Errorf("%s: ino %d, type %d", name, e.Ino(), e.Type())
	}
	again, ok := x.Find(d, name)
	if !ok || &again.e[0] != &e.e[0] {
		t.Errorf("%s isn't found", name)
	}
	target, _ := hostfs.Readlink(fd, name)
	if string(e.Target()) != target {
		t.Errorf("%s: target %q, want %q", name, e.Target(), target)
	}
	list, err := hostfs.ListxattrAll(fd, name)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	e.Xattrs(func(attr, value []byte) bool {
		count++
		want, err := hostfs.GetxattrAll(fd, name, string(attr))
		if err != nil || !bytes.Equal(want, value) {
			t.Errorf("%s: %s is %q, want %q (%v)", name, attr, value, want, err)
		}
		return true
	})
	if count != len(list) || e.HasXattrs() != (count > 0) {
		t.Errorf("%s: %d attributes, want %d", name, count, len(list))
	}
}

func TestMarks(t *testing.T) {
	dir := tree(t)
	x := open(t, written(t, dir), dir)
	a, _ := x.Find(0, "a")
	da, _ := a.Dir()
	b, ok := x.Find(da, "b")
	if db, isDir := b.Dir(); !ok || !isDir || !x.Marks(db).Opaque || x.Marks(da).Opaque {
		t.Error("the opaque directory isn't the one that is opaque")
	}
	gone, _ := x.Find(da, "gone")
	if class, of := gone.Class(); class != whiteout.WhiteoutOf || string(of) != "gone" {
		t.Errorf("the whiteout is %d of %q", class, of)
	}
	for _, absent := range []string{"", "aa", "a", "zzz", "filf"} {
		if e, ok := x.Find(da, absent); ok {
			t.Errorf("%q is found as %q", absent, e.Name())
		}
	}
	if _, ok := x.Find(Dir(1<<31), "x"); ok {
		t.Error("a directory that isn't there has names")
	}
}

func TestOpenRefusesOtherTrees(t *testing.T) {
	dir := tree(t)
	f := written(t, dir)
	if _, err := Open(int(f.Fd()), openDir(t, tree(t))); !errors.Is(err, ErrForeign) {
		t.Errorf("got %v, want %v", err, ErrForeign)
	}
	if err := os.Mkdir(dir+"/new", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(int(f.Fd()), openDir(t, dir)); !errors.Is(err, ErrForeign) {
		t.Errorf("got %v, want %v", err, ErrForeign)
	}
}

func TestWriteRefusesRedirects(t *testing.T) {
	for _, attr := range []string{"user.overlay.redirect", "user.overlay.metacopy"} {
		dir := tree(t)
		path := dir + "/a/b"
		if attr == "user.overlay.metacopy" {
			path = dir + "/a/file"
		}
		if err := unix.Lsetxattr(path, attr, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		if err := Write(new(bytes.Buffer), openDir(t, dir)); !errors.Is(err, ErrNotPlain) {
			t.Errorf("%s: got %v, want %v", attr, err, ErrNotPlain)
		}
	}
}

// use asks an index everything.
func use(x *Index) {
	_ = x.Check()
	var walk func(d Dir, depth int)
	walk = func(d Dir, depth int) {
		_ = x.Marks(d)
		_ = x.List(d, func(e Entry) error {
			var st unix.Statx_t
			e.Stat(&st)
			_, _ = e.Class()
			_ = e.Target()
			e.Xattrs(func(_, _ []byte) bool { return true })
			_, _ = e.Xattr("user.one")
			_, _ = x.Find(d, string(e.Name()))
			if child, ok := e.Dir(); ok && depth < 4 {
				walk(child, depth+1)
			}
			return nil
		})
		_, _ = x.Find(d, "file")
	}
	walk(0, 0)
}

// FuzzOpen shows that no index file leads to a panic.
func FuzzOpen(f *testing.F) {
	dir := tree(f)
	fd := openDir(f, dir)
	var b bytes.Buffer
	if err := Write(&b, fd); err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(atDirs), []byte{1, 2, 3, 4})
	f.Add(uint32(headerSize), []byte{0xff, 0xff, 0xff, 0x7f})
	f.Add(uint32(headerSize+5*dirSize+atName), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add(uint32(headerSize+5*dirSize+atXattrs), []byte{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, at uint32, bytes []byte) {
		data := append([]byte(nil), b.Bytes()...)
		copy(data[int(at)%len(data):], bytes)
		x, err := Open(int(fileOf(t, data).Fd()), fd)
		if err != nil {
			return
		}
		defer x.Close()
		use(x)
	})
}
