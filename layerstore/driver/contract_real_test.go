package driver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// thick mounts, changes and packs what only stores of real owners hold as it is.
// Of the others layertar's tests tell.
func (b *bench) thick() {
	if b.s.IDs() != layertar.RealIDs {
		return
	}
	st, err := b.s.Begin()
	b.must(err)
	defer st.Close()
	chain := addLayers(b.T, st, thick(b.T)...)
	lossy := b.d.Name() == "zfs" && backing(b.s.Root()) != "zfs" // zfs-fuse has no ACLs
	// Unions count the names of a lower file that are hidden, as the kernel's do.
	tree := func(dir string) []string {
		lines, err := fstest.Snapshot(dir, fstest.SnapshotOptions{NoDirMtime: true, NoXattrs: lossy, NoNlink: true})
		b.must(err)
		return lines
	}
	want := tree(flatten(b.T, b.s, chain))
	b.view(chain, func(dir string) { b.same("a view of thick layers", want, tree(dir)) })
	n, err := b.prepareIn(b.Context(), "", chain)
	b.must(err)
	var changed []string
	b.in(n, func(dir string) {
		b.same("thick layers", want, tree(dir))
		b.alter(dir)
		if b.d.Name() != "overlay" {
			b.must(unix.Setxattr(dir+"/again", "user.overlay.redirect", []byte("/else"), 0))
		}
		changed = tree(dir)
	})
	layer, err := st.AddTar(b.Context(), func(w io.Writer) error { return b.d.Diff(b.Context(), n, w) })
	b.must(err)
	b.view(append(slices.Clone(chain), layer.DiffID), func(dir string) {
		b.same("committed", changed, tree(dir))
		b.nested(dir)
	})
	flat, err := st.AddTar(b.Context(), func(w io.Writer) error { return b.d.Export(b.Context(), n, w) })
	b.must(err)
	b.view([]layerstore.DiffID{flat.DiffID}, func(dir string) {
		b.same("exported", changed, tree(dir))
		b.nested(dir)
	})
	b.must(b.d.Remove(b.Context(), n))
}

// nested looks for an attribute that a union inside of a container set: nobody
// else may read it as a mark. The kernel's overlayfs as root keeps it as it is,
// where nothing tells it from a mark of another program.
func (b *bench) nested(dir string) {
	b.Helper()
	if b.d.Name() == "overlay" {
		return
	}
	var value [16]byte
	if n, err := unix.Getxattr(dir+"/again", "user.overlay.redirect", value[:]); err != nil || string(value[:n]) != "/else" {
		b.Errorf("an attribute of a union's in a container is %q, %v", value[:max(n, 0)], err)
	}
}

// alter does to a tree of thick layers what takes root.
func (b *bench) alter(dir string) {
	b.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	b.must(os.Lchown(at("t/caps"), 3, 4)) // which clears the capability
	b.must(os.WriteFile(at("t/tool"), []byte("tool"), 0o755))
	b.must(os.Chown(at("t/tool"), 7, 8))
	b.must(os.Chmod(at("t/tool"), 0o6755|os.ModeSetuid|os.ModeSetgid))
	if err := unix.Setxattr(at("again/new"), "security.capability", []byte(netRaw), 0); err != unix.EOPNOTSUPP {
		b.must(err)
	}
	b.must(os.WriteFile(at("t/made"), nil, 0o666)) // inherits
	b.must(os.RemoveAll(at("links")))
	b.must(os.Mkdir(at("links"), 0o711))
	b.must(os.WriteFile(at("links/other"), nil, 0o600))
	b.must(os.Link(at("t/d"), at("links/d")))
	b.move(at("was-file"), at("locked/moved"))
	b.must(unix.Mkfifo(at("locked/pipe"), 0o640))
	b.must(os.Rename(at("was-dir"), at("was-file")))
	b.must(os.Mkdir(at("was-dir"), 0o700))
	b.must(os.Chown(at("attrs"), 9, 10))
	b.must(unix.Lremovexattr(at("attrs"), "user.new"))
	if inInitialUserNS() {
		b.must(unix.Mknod(at("t/zero"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))))
		b.must(os.Remove(at("t/null")))
	}
	file, err := os.OpenFile(at("big"), os.O_RDWR|os.O_CREATE, 0o600)
	b.must(err)
	defer file.Close()
	_, err = file.WriteAt([]byte("end"), 1<<20)
	b.must(err)
}

// move renames a directory. Where the kernel's overlayfs refuses that, as it does
// in user namespaces (fs/overlayfs/params.c), mv(1) copies.
func (b *bench) move(from, to string) {
	b.Helper()
	err := os.Rename(from, to)
	if errors.Is(err, unix.EXDEV) && b.d.Name() == "overlay" && !inInitialUserNS() {
		err = exec.Command("mv", "-T", from, to).Run()
	}
	b.must(err)
}

// shared looks at what ten snapshots of one image take: nobody but vfs copies
// layers.
func (b *bench) shared(all []layerstore.Snapshot) {
	b.Helper()
	switch b.d.(type) {
	case *unionDriver, *overlayDriver:
		size, err := bytesBelow(filepath.Join(b.s.Root(), "snapshots"))
		if b.must(err); size > bigFile/2 {
			b.Errorf("%d snapshots of one image take %d bytes", len(all), size)
		}
	case *btrfsDriver, *zfsDriver:
		for _, n := range all {
			if size, err := b.d.Usage(n); err != nil || size > bigFile/10 {
				b.Errorf("a clone of an image takes %d bytes (%v)", size, err)
			}
		}
	case *vfsDriver:
		for _, n := range all {
			if size, err := b.d.Usage(n); err != nil || size < bigFile {
				b.Errorf("a copy of an image with a file of %d bytes takes %d (%v)", bigFile, size, err)
			}
		}
	}
}

// images keep the bases of their chains where snapshots begin as those.
func (b *bench) images() {
	keeps := false
	switch b.d.(type) {
	case *btrfsDriver, *zfsDriver:
		keeps = true
	}
	st, err := b.s.Begin()
	b.must(err)
	defer st.Close()
	a := layerstore.Assembly{Names: []string{"docker.io/library/kept:latest"}}
	a.Config.OS, a.Config.Architecture = "linux", "amd64"
	for _, id := range b.chain {
		info, err := b.s.Layer(id)
		b.must(err)
		a.Layers = append(a.Layers, info.Travels())
	}
	_, err = st.Assemble(a)
	b.must(err)

	b.view(b.chain, func(string) {
		b.must(Collect(b.Context(), b.s)) // a base that is mounted stays
	})
	n := b.prepare("")
	b.must(b.d.Remove(b.Context(), n))
	if got := b.bases() > 0; got != keeps {
		b.Errorf("bases of an image that is in the store: %t, want %t", got, keeps)
	}
	_, err = b.s.RemoveImage("kept", false)
	b.must(err)
	b.empty()
}

// bases counts the trees that the driver keeps for chains.
func (b *bench) bases() int {
	b.Helper()
	folder := filepath.Join(b.s.Root(), "chains", b.d.Name())
	if b.d.Name() == "zfs" {
		folder = filepath.Join(b.s.Root(), "zfs")
	}
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	count := 0
	for _, e := range entries {
		if e.IsDir() {
			count++
		}
	}
	return count
}

// Chains of more layers than fit the page of mount(2)'s options.
func TestDeepChain(t *testing.T) {
	const depth = 200
	s := storeIn(t, t.TempDir())
	st, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var archives [][]byte
	for i := range depth {
		archives = append(archives, archive(t, member{name: "same", text: fmt.Sprint(i)}, member{name: fmt.Sprint(i), text: "x"}))
	}
	chain := addLayers(t, st, archives...)
	for _, name := range []string{"union", "overlay"} {
		t.Run(name, func(t *testing.T) {
			if name == "overlay" && (!mayMount() || s.IDs() != layertar.RealIDs) {
				wantRefusal(t, "overlay", "may not mount|owners in attributes")
				return
			}
			d, err := byName(name, s)
			if err != nil {
				t.Fatal(err)
			}
			needProbe(t, d)
			b := &bench{T: t, d: d, s: s, chain: chain}
			b.in(b.prepare(""), func(dir string) {
				names, err := os.ReadDir(dir)
				if err != nil || len(names) != depth+1 {
					t.Errorf("%d names of %d layers, %v", len(names), depth, err)
				}
				if text, err := os.ReadFile(dir + "/same"); err != nil || string(text) != fmt.Sprint(depth-1) {
					t.Errorf("the highest layer doesn't show: %q, %v", text, err)
				}
			})
		})
	}
}
