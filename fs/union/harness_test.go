package union

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

func TestMain(m *testing.M) {
	unix.Umask(0) // as servers do: umasks come with requests
	os.Exit(m.Run())
}

// rig is an open union over directories of the test.
type rig struct {
	testing.TB
	dirs fstest.Dirs
	cfg  Config
	u    *Union
	// tweak changes the union after each Open.
	tweak func(u *Union)
}

// rigUp builds the layers and opens them.
func rigUp(t testing.TB, layers fstest.Layers, options ...func(r *rig)) *rig {
	t.Helper()
	fstest.NeedRoot(t)
	r := &rig{TB: t, dirs: layers.Dirs(t)}
	r.cfg = Config{Lower: r.dirs.Lower, Upper: r.dirs.Upper, Work: r.dirs.Work}
	for _, option := range options {
		option(r)
	}
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *rig) open() {
	r.Helper()
	u, err := Open(r.cfg)
	if err != nil {
		r.Fatalf("open: %v", err)
	}
	if r.tweak != nil {
		r.tweak(u)
	}
	r.u = u
}

func (r *rig) close() {
	if r.u != nil {
		r.u.Close()
		r.u = nil
	}
}

func (r *rig) reopen() {
	r.Helper()
	r.close()
	r.open()
}

// must and want judge errors.
func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) want(what string, err error, want unix.Errno) {
	r.Helper()
	var got unix.Errno
	if err != nil {
		e, ok := err.(unix.Errno)
		if !ok {
			r.Errorf("%s: %v, want %v", what, err, want)
			return
		}
		got = e
	}
	if got != want {
		r.Errorf("%s: %s, want %s", what, unix.ErrnoName(got), unix.ErrnoName(want))
	}
}

// get walks to a path; the reference is the caller's.
func (r *rig) get(path string) *Inode {
	r.Helper()
	n, _, err := r.find(path)
	if err != nil {
		r.Fatalf("%s: %v", path, err)
	}
	return n
}

func (r *rig) find(path string) (*Inode, Attr, error) {
	var attr Attr
	n := r.u.Root()
	n.Ref()
	for _, name := range strings.FieldsFunc(path, func(c rune) bool { return c == '/' || c == 0 }) {
		if name == "." {
			continue
		}
		next, err := r.u.Lookup(n, name, &attr)
		r.u.Forget(n, 1)
		if err != nil {
			return nil, attr, err
		}
		n = next
	}
	err := r.u.GetAttr(n, &attr)
	if err != nil {
		r.u.Forget(n, 1)
	}
	return n, attr, err
}

func (r *rig) put(nodes ...*Inode) {
	for _, n := range nodes {
		r.u.Forget(n, 1)
	}
}

func (r *rig) stat(path string) Attr {
	r.Helper()
	n, attr, err := r.find(path)
	if err != nil {
		r.Fatalf("stat %s: %v", path, err)
	}
	r.put(n)
	return attr
}

func (r *rig) absent(path string) {
	r.Helper()
	n, _, err := r.find(path)
	if err == nil {
		r.put(n)
	}
	r.want("lookup of "+path, err, unix.ENOENT)
}

func (r *rig) content(path string) string {
	r.Helper()
	n := r.get(path)
	defer r.put(n)
	data, err := readWhole(r.u, n)
	if err != nil {
		r.Fatalf("read %s: %v", path, err)
	}
	return data
}

func (r *rig) wantContent(path, want string) {
	r.Helper()
	if got := r.content(path); got != want {
		r.Errorf("%s holds %.60q, want %.60q", path, got, want)
	}
}

func readWhole(u *Union, n *Inode) (string, error) {
	var out []byte
	buf := make([]byte, 64<<10)
	for {
		k, err := u.Read(n, buf, int64(len(out)))
		if err != nil || k == 0 {
			return string(out), err
		}
		out = append(out, buf[:k]...)
	}
}

// names is a listing in one line.
func (r *rig) names(path string) string {
	r.Helper()
	n := r.get(path)
	defer r.put(n)
	got, err := listNames(r.u, n)
	if err != nil {
		r.Fatalf("list %s: %v", path, err)
	}
	return strings.Join(strings.Fields(got), " ")
}

// do applies operations, each of which must succeed.
func (r *rig) do(ops ...fstest.Op) {
	r.Helper()
	d := driver{u: r.u}
	defer d.release()
	for _, op := range ops {
		if got := d.apply(op); got.Errno != 0 {
			r.Fatalf("%s: %s", op, got)
		}
	}
}

// fails applies an operation that must fail so.
func (r *rig) fails(op fstest.Op, want unix.Errno) {
	r.Helper()
	d := driver{u: r.u}
	defer d.release()
	if got := d.apply(op); got.Errno != want {
		r.Errorf("%s: %s, want %s", op, got, unix.ErrnoName(want))
	}
}

// inUpper lists upper's directory at path, with a letter for each type: w is a
// whiteout device.
func (r *rig) inUpper(path string) string {
	r.Helper()
	entries, err := os.ReadDir(filepath.Join(r.dirs.Upper, path))
	if err != nil {
		return err.(*os.PathError).Err.Error()
	}
	var out []string
	for _, e := range entries {
		var st unix.Stat_t
		r.must(unix.Lstat(filepath.Join(r.dirs.Upper, path, e.Name()), &st))
		letter := letterOf(st.Mode)
		if letter == "c" && st.Rdev == 0 {
			letter = "w"
		}
		out = append(out, letter+" "+e.Name())
	}
	return strings.Join(out, " ")
}

func (r *rig) wantUpper(path, want string) {
	r.Helper()
	if got := r.inUpper(path); got != want {
		r.Errorf("upper's %s holds %q, want %q", path, got, want)
	}
}

// tree is the union as fstest prints trees, by way of a copy on disk.
func (r *rig) tree(opt fstest.SnapshotOptions) []string {
	r.Helper()
	lines, err := treeOf(r.TB, r.u, opt)
	if err != nil {
		r.Fatal(err)
	}
	return lines
}

// clean checks that nothing is kept once all references were given back.
func (r *rig) clean() {
	r.Helper()
	if bad := leaks(r.u); bad != "" {
		r.Errorf("after the last Forget: %s", bad)
	}
}

// leaks says what the union still holds though nobody holds a reference.
func leaks(u *Union) string {
	var bad []string
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	if k := u.root.kids.Load(); k != 0 {
		say("the root has %d kids", k)
	}
	if k := u.root.refs.Load(); k != 1 {
		say("the root has %d references", k)
	}
	if t := u.root.dir.table; t != nil {
		for e := range t.names.all() {
			name := e.name
			if e.inode != nil {
				say("the root's %q is in memory (refs %d, kids %d)", name, e.inode.refs.Load(), e.inode.kids.Load())
			}
		}
	}
	u.linksMu.Lock()
	for ino, n := range u.links {
		say("links holds %#x (refs %d, name %q, orphan %q)", ino, n.refs.Load(), n.name, n.seldom().orphan)
	}
	for n := range u.late {
		say("late holds %q", n.name)
	}
	u.linksMu.Unlock()
	if u.work != nil {
		entries, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(u.work.stage.fd))
		if err != nil {
			say("stage: %v", err)
		}
		for _, e := range entries {
			if e.Name() != u.work.blank && e.Name() != "incompat" {
				say("the stage holds %s", e.Name())
			}
		}
	}
	return strings.Join(bad, "; ")
}

func countFDs(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
