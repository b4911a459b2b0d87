package layertar_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"unionfs/fs/fstest"
	"unionfs/layerstore/layertar"
)

// The law of Pack: the layers below, and what Unpack makes of the archive on
// top of them, show what the union showed. It is tried on what two programs
// wrote, ours and the kernel, and shown by the kernel.

// program builds unionfs once; UNIONFS_BIN names one that is built already.
var program = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("UNIONFS_BIN"); bin != "" {
		return bin, nil
	}
	dir, err := os.MkdirTemp("", "layertar")
	if err != nil {
		return "", err
	}
	built = dir
	bin := filepath.Join(dir, "unionfs")
	out, err := exec.Command("go", "build", "-o", bin, "unionfs/cmd/unionfs").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building unionfs: %w\n%s", err, out)
	}
	return bin, nil
})

// built is where program built, to be removed.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // a temporary directory
	}
	os.Exit(code)
}

// ourMount is a union served by the program.
type ourMount struct {
	fstest.Dirs
	target string
	opts   string
	up     bool
}

func unionMount(t *testing.T, layers fstest.Layers) fstest.Mounted {
	t.Helper()
	fstest.NeedFUSE(t)
	m := &ourMount{Dirs: layers.Dirs(t), target: filepath.Join(t.TempDir(), "union"), opts: layers.Options}
	if err := os.Mkdir(m.target, 0o755); err != nil {
		t.Fatal(err)
	}
	m.mount(t)
	t.Cleanup(func() { m.Unmount(t) })
	return m
}

func (m *ourMount) mount(t testing.TB) {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	opts := "lowerdir=" + strings.Join(m.Lower, ":") + "," + m.opts
	if m.Dirs.Upper != "" {
		opts += ",upperdir=" + m.Dirs.Upper + ",workdir=" + m.Dirs.Work
	}
	if out, err := exec.Command(bin, "mount", "-o", opts, m.target).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v\n%s", err, out)
	}
	m.up = true
}

func (m *ourMount) Root() string        { return m.target }
func (m *ourMount) Upper() string       { return m.Dirs.Upper }
func (m *ourMount) Work() string        { return m.Dirs.Work }
func (m *ourMount) LowerDirs() []string { return m.Lower }

func (m *ourMount) Unmount(t testing.TB) {
	t.Helper()
	if !m.up {
		return
	}
	m.up = false
	if out, err := exec.Command("umount", m.target).CombinedOutput(); err != nil {
		t.Errorf("umount: %v\n%s", err, out)
	}
}

func (m *ourMount) Remount(t testing.TB) {
	t.Helper()
	m.Unmount(t)
	m.mount(t)
}

// sourceOf opens a mount's directories.
func sourceOf(t testing.TB, m fstest.Mounted, how layertar.IDs) layertar.Source {
	t.Helper()
	src := layertar.Source{Upper: openDir(t, m.Upper()), Work: openDir(t, m.Work()), IDs: how}
	for _, l := range m.LowerDirs() {
		src.Lowers = append(src.Lowers, openDir(t, l))
	}
	return src
}

func packed(t testing.TB, src layertar.Source, pack func(context.Context, *bytes.Buffer, layertar.Source) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pack(context.Background(), &b, src); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func packUpper(ctx context.Context, b *bytes.Buffer, src layertar.Source) error {
	return layertar.Pack(ctx, b, src)
}

func packMerged(ctx context.Context, b *bytes.Buffer, src layertar.Source) error {
	return layertar.PackMerged(ctx, b, src)
}

// lines is a whole tree, times and hard links included; but not their count,
// which a union takes from a file that may have hidden names.
func lines(t testing.TB, dir string) []string {
	t.Helper()
	out, err := fstest.Snapshot(dir, fstest.SnapshotOptions{NoNlink: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func withoutSockets(list []string) (out []string) {
	for _, l := range list {
		if f := strings.Fields(l); len(f) > 1 && !strings.HasPrefix(f[1], "s") {
			out = append(out, l)
		}
	}
	return out
}

// trial says how uppers are made, and how what was packed is shown.
type trial struct {
	write, show fstest.NewMount
	options     string
	ids         layertar.IDs
}

// treeOf shows layers through a mount.
func (x trial) treeOf(t *testing.T, dirs ...string) []string {
	t.Helper()
	m := x.show(t, fstest.Layers{ReadOnly: true, Options: x.options, At: &fstest.Dirs{Lower: dirs}})
	defer m.Unmount(t)
	return lines(t, m.Root())
}

// checkLaws packs what an unmounted union left and compares.
func (x trial) checkLaws(t *testing.T, m fstest.Mounted, before, after []string) {
	t.Helper()
	src := sourceOf(t, m, x.ids)
	layer := packed(t, src, packUpper)
	if !bytes.Equal(layer, packed(t, src, packUpper)) {
		t.Error("the same upper was packed into other bytes")
	}
	listed := src
	for _, l := range src.Lowers {
		listed.LowerLinks = append(listed.LowerLinks, linksOf(t, l, x.ids))
	}
	if !bytes.Equal(layer, packed(t, listed, packUpper)) {
		t.Error("with the lists of hard links it is another archive than without")
	}
	top := x.unpack(t, layer)
	stack := x.treeOf(t, append([]string{top}, m.LowerDirs()...)...)
	if diff := fstest.Diff(withoutSockets(after), withoutSockets(stack)); diff != "" {
		t.Errorf("the packed layer on top of the layers (+) shows another tree than the union (-):\n%s", diff)
	}
	whole := x.unpack(t, packed(t, src, packMerged))
	if diff := fstest.Diff(withoutSockets(after), x.treeOf(t, whole, t.TempDir())); diff != "" {
		t.Errorf("the merged archive (+) holds another tree than the union (-):\n%s", diff)
	}
	checkChanges(t, src, before, after)
}

// linksOf is the list that Unpack made of a layer.
func linksOf(t *testing.T, lower int, how layertar.IDs) func() ([][]string, error) {
	return func() ([][]string, error) {
		var b bytes.Buffer
		if err := layertar.PackTree(context.Background(), &b, lower, how); err != nil {
			return nil, err
		}
		u, err := unpackInto(t, b.Bytes(), layertar.UnpackOptions{IDs: how})
		return u.sum.Links, err
	}
}

func (x trial) unpack(t *testing.T, archive []byte) string {
	t.Helper()
	u, err := unpackInto(t, archive, layertar.UnpackOptions{IDs: x.ids})
	if err != nil {
		t.Fatal(err)
	}
	return u.dir
}

// checkChanges compares docker's letters with two looks at the union: what is
// there or gone must be listed so; what differs must be listed; a copy that
// changed nothing may be.
func checkChanges(t *testing.T, src layertar.Source, before, after []string) {
	t.Helper()
	list, err := layertar.Changes(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	checkList(t, list, before, after)
}

func checkList(t *testing.T, list []layertar.Change, before, after []string) {
	t.Helper()
	got := map[string]layertar.Kind{}
	for _, c := range list {
		got[c.Path[1:]] = c.Kind
	}
	was, is := byPath(before), byPath(after)
	for path, line := range is {
		old, there := was[path]
		switch {
		case path == ".":
		case !there && got[path] != layertar.Added:
			t.Errorf("changes: %s is new, and listed as %q", path, got[path])
		case there && (got[path] == layertar.Added || got[path] == layertar.Deleted):
			t.Errorf("changes: %s was there before, and is listed as %q", path, got[path])
		case there && old != line && got[path] == 0:
			t.Errorf("changes: %s differs, and isn't listed:\n- %s\n+ %s", path, old, line)
		}
	}
	for path := range was {
		if _, there := is[path]; !there && !deletedAt(path, is, got) {
			t.Errorf("changes: %s is gone, and neither it nor what held it is listed", path)
		}
	}
	for path, kind := range got {
		if _, there := is[path]; there != (kind != layertar.Deleted) {
			t.Errorf("changes: %s is listed as %q", path, kind)
		}
	}
}

// deletedAt tells whether a path, or a directory above it, is listed as gone or
// as something else now.
func deletedAt(path string, is map[string]string, got map[string]layertar.Kind) bool {
	for at := path; at != "."; at = filepath.Dir(at) {
		if _, there := is[at]; got[at] == layertar.Deleted || there && got[at] == layertar.Changed && !strings.HasPrefix(strings.Fields(is[at])[1], "d") {
			return true
		}
	}
	return false
}

func byPath(list []string) map[string]string {
	out := map[string]string{}
	for _, l := range list {
		path, _, _ := strings.Cut(l, " ")
		fields := strings.Fields(l)
		out[path] = strings.Join(slices.DeleteFunc(fields, func(f string) bool {
			return strings.HasPrefix(f, "same=") // names another of them
		}), " ")
	}
	return out
}

// run has random operations done on random layers.
func (x trial) run(t *testing.T, seeds, n int) {
	t.Helper()
	fstest.NeedRoot(t)
	if testing.Short() {
		seeds = (seeds + 9) / 10
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewSource(int64(seed)))
			ns := fstest.Names()
			ns.Tidy = true // the kernel lists others
			layers := fstest.RandomLayers(rng, ns)
			layers.Upper, layers.Options = "", x.options
			ns.Known = layerPaths(layers)
			m := x.write(t, layers)
			before := lines(t, m.Root())
			state := &fstest.State{Remounted: func() { m.Remount(t) }}
			for _, op := range fstest.Generate(rng, n, ns) {
				op.Apply(m.Root(), state)
			}
			state.Close()
			if _, ours := m.(*ourMount); ours {
				m.Remount(t) // what it kept in memory is on disk
			}
			after := lines(t, m.Root())
			m.Unmount(t)
			x.checkLaws(t, m, before, after)
		})
	}
}

// layerPaths names what layers hold, for operations to meet.
func layerPaths(layers fstest.Layers) (out []string) {
	for _, text := range layers.Lower {
		for l := range strings.Lines(text) {
			if f := strings.Fields(l); len(f) > 1 {
				out = append(out, f[1])
			}
		}
	}
	return out
}

func TestPackOfOurUnion(t *testing.T) {
	trial{write: unionMount, show: fstest.KernelMount}.run(t, 40, 40)
}

func TestPackOfKernelUnion(t *testing.T) {
	trial{write: fstest.KernelMount, show: fstest.KernelMount}.run(t, 40, 40)
}

func TestPackOfOneIDUnion(t *testing.T) {
	trial{write: unionMount, show: unionMount, options: "xattr_permissions=2", ids: layertar.SingleID}.run(t, 40, 40)
}
