package union

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/fs/hostfs"
	"unionfs/fs/index"
	"unionfs/whiteout"
)

// indexLowers moves each lower layer to a place of its own and writes its
// index beside it, as a store does. Layers that were once uppers get none.
func indexLowers(r *rig) {
	r.Helper()
	for i, lower := range r.cfg.Lower {
		home := lower + ".layer"
		r.must(os.Mkdir(home, 0o755))
		r.must(os.Rename(lower, home+"/diff"))
		r.cfg.Lower[i] = home + "/diff"
		if err := writeIndex(home+"/diff", home+"/index"); err != nil && err != index.ErrNotPlain {
			r.Fatal(err)
		}
	}
}

func writeIndex(tree, file string) error {
	fd, err := hostfs.OpenLayer(tree)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return index.Write(f, fd)
}

func TestIndexIsUsed(t *testing.T) {
	r := rigUp(t, fstest.Layers{Lower: []string{"file d/f one\nsymlink d/s -> there\n"}}, indexLowers)
	if r.u.lowers[0].known == nil {
		t.Fatal("the index isn't used")
	}
	// What the index says holds although the tree says otherwise, which shows
	// that nobody asked the tree.
	r.must(os.Rename(filepath.Join(r.cfg.Lower[0], "d"), filepath.Join(r.cfg.Lower[0], "elsewhere")))
	var attr Attr
	d, err := r.u.Lookup(r.u.Root(), "d", &attr)
	r.must(err)
	f, err := r.u.Lookup(d, "f", &attr)
	r.must(err)
	if attr.Size != 3 {
		t.Errorf("size is %d, want 3", attr.Size)
	}
	s, err := r.u.Lookup(d, "s", &attr)
	r.must(err)
	if target, err := r.u.Readlink(s); err != nil || target != "there" {
		t.Errorf("got %q, %v", target, err)
	}
	if n, err := r.u.ListXattr(f, nil, true); err != nil || n != 0 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestIndexIsNotBelieved(t *testing.T) {
	for name, spoil := range map[string]func(r *rig, file string){
		"another tree": func(r *rig, file string) {
			r.must(os.Mkdir(r.cfg.Lower[0]+"/new", 0o755))
		},
		"others may write it": func(r *rig, file string) { r.must(os.Chmod(file, 0o666)) },
		"another owner":       func(r *rig, file string) { r.must(os.Chown(file, 1, 1)) },
		"a symlink": func(r *rig, file string) {
			r.must(os.Rename(file, file+".real"))
			r.must(os.Symlink("index.real", file))
		},
		"cut short": func(r *rig, file string) { r.must(os.Truncate(file, 200)) },
		"empty":     func(r *rig, file string) { r.must(os.Truncate(file, 0)) },
		"a fifo": func(r *rig, file string) {
			r.must(os.Remove(file))
			r.must(unix.Mkfifo(file, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rigUp(t, fstest.Layers{Lower: []string{"file f one\n"}}, indexLowers, func(r *rig) {
				spoil(r, filepath.Dir(r.cfg.Lower[0])+"/index")
			})
			if r.u.lowers[0].known != nil {
				t.Error("the index is used")
			}
			var attr Attr
			if _, err := r.u.Lookup(r.u.Root(), "f", &attr); err != nil {
				t.Error(err)
			}
		})
	}
}

// An index inside the tree is part of an image, and nobody to believe: not even
// where the tree is the root of its file system, and its own parent.
func TestIndexInsideTheTree(t *testing.T) {
	if fd, err := openBeside(&layer{path: "/", fd: rootFD(t)}, "etc"); err == nil {
		hostfs.Close(fd)
		t.Error("a name below the root stands beside it")
	}
}

func rootFD(t *testing.T) int {
	t.Helper()
	fd, err := openPath("/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hostfs.Close(fd) })
	return fd
}

// Marks of every form mean with an index what they mean without.
func TestIndexKnowsMarks(t *testing.T) {
	for _, format := range []whiteout.Format{whiteout.FormatOverlay, whiteout.FormatXattr, whiteout.FormatAufs} {
		t.Run(format.String(), func(t *testing.T) {
			layers := fstest.Layers{Lower: []string{
				"format " + format.String() + "\nwhiteout d/gone\nopaque o\nfile o/new n\n",
				"file d/gone g\nfile d/stays s\nfile o/old o\n",
			}}
			plain := rigUp(t, layers).tree(fstest.SnapshotOptions{})
			r := rigUp(t, layers, indexLowers)
			for _, l := range r.u.lowers {
				if l.known == nil {
					t.Fatal("an index isn't used")
				}
			}
			if diff := fstest.Diff(plain, r.tree(fstest.SnapshotOptions{})); diff != "" {
				t.Errorf("without the index (-) and with it (+):\n%s", diff)
			}
		})
	}
}
