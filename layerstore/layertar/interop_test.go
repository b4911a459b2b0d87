package layertar_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/layerstore/layertar"
)

// needProgram asks for another program, by the name of its Debian package.
func needProgram(t testing.TB, name, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("needed in CI: %s, of the package %s", name, pkg)
	}
	t.Skipf("needs %s, of the package %s", name, pkg)
}

func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A tree with what every archiver can carry.
const plainTree = `
dir a 0750 mtime=1000.000000000
file a/x 04755 "one" owner=5:6 mtime=1001.000000000
hardlink b = a/x
symlink c -> ../../etc/passwd mtime=1002.000000000
fifo p 0620 mtime=1003.000000000
char null 1 3 0666 mtime=1004.000000000
block disk 7 300 mtime=1004.000000000
random big 300000 7 mtime=1005.000000000
dir deep/er/x 01777 mtime=1006.000000000
file name\x20\xc3\xa4\xff "latin" mtime=1007.000000000
`

// And with what takes PAX: attributes and nanoseconds.
const richTree = plainTree + `
file n "nano" mtime=-5.123456789 user.x=y
xattr a user.a=b
sparse s 10000000 5000000 "data" mtime=1008.000000000
`

func longNames(t testing.TB, tree string) {
	t.Helper()
	deep := filepath.Join(tree, strings.Repeat(strings.Repeat("d", 100)+"/", 3))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(deep, strings.Repeat("f", 200)), []byte("deep"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestArchivesOfOthers: what other programs archive, Unpack makes again.
func TestArchivesOfOthers(t *testing.T) {
	fstest.NeedRoot(t)
	const python = "import tarfile,os\nwith tarfile.open('../a.tar','w',format=tarfile.%s) as t: t.add('.')\n"
	for name, c := range map[string]struct {
		pkg, tree string
		seconds   bool // it keeps no more of the times
		command   []string
	}{
		"tar gnu":      {"tar", plainTree, true, []string{"tar", "--format=gnu", "-cf", "../a.tar", "."}},
		"tar sparse":   {"tar", strings.ReplaceAll(richTree, " user.x=y", ""), true, []string{"tar", "--format=gnu", "--sparse", "-cf", "../a.tar", "."}},
		"tar pax":      {"tar", richTree, false, []string{"tar", "--format=posix", "--xattrs", "--acls", "-cf", "../a.tar", "."}},
		"tar sparse 0": {"tar", richTree, false, []string{"tar", "--format=posix", "--sparse", "--sparse-version=0.0", "--xattrs", "-cf", "../a.tar", "."}},
		"tar sparse 1": {"tar", richTree, false, []string{"tar", "--format=posix", "--sparse", "--sparse-version=1.0", "--xattrs", "-cf", "../a.tar", "."}},
		// It writes times before 1970 with the fraction counted the wrong way.
		"bsdtar":     {"libarchive-tools", strings.ReplaceAll(richTree, "mtime=-5.", "mtime=5."), false, []string{"bsdtar", "--format=pax", "--xattrs", "-cf", "../a.tar", "."}},
		"python gnu": {"python3", plainTree, true, []string{"python3", "-c", strings.ReplaceAll(python, "%s", "GNU_FORMAT")}},
		"python pax": {"python3", plainTree, false, []string{"python3", "-c", strings.ReplaceAll(python, "%s", "PAX_FORMAT")}},
	} {
		t.Run(name, func(t *testing.T) {
			needProgram(t, c.command[0], c.pkg)
			tree := filepath.Join(t.TempDir(), "tree")
			if err := os.Mkdir(tree, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := fstest.Build(tree, c.tree); err != nil {
				t.Fatal(err)
			}
			longNames(t, tree)
			run(t, tree, c.command[0], c.command[1:]...)
			archive, err := os.ReadFile(filepath.Join(tree, "../a.tar"))
			if err != nil {
				t.Fatal(err)
			}
			u := unpack(t, archive)
			o := fstest.SnapshotOptions{NoMtime: c.seconds || c.pkg == "python3", NoXattrs: c.seconds}
			if diff := fstest.Diff(linesWith(t, tree, o), linesWith(t, u.dir, o)); diff != "" {
				t.Errorf("unpacked (+) it is another tree than the archived one (-):\n%s", diff)
			}
			if strings.Contains(name, "sparse") {
				checkSparse(t, filepath.Join(u.dir, "s"))
			}
		})
	}
}

func linesWith(t testing.TB, dir string, o fstest.SnapshotOptions) []string {
	t.Helper()
	out, err := fstest.Snapshot(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func checkSparse(t *testing.T, path string) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	if st.Size != 10000000 || st.Blocks*512 > 100000 {
		t.Errorf("%d bytes take %d on disk", st.Size, st.Blocks*512)
	}
}

// layerChain are archives of two layers, the second with everything that
// changes the first.
func layerChain(t *testing.T) (archives [][]byte, want []string) {
	t.Helper()
	m := fstest.KernelMount(t, fstest.Layers{Lower: []string{richTree + `
dir hidden
file hidden/x "1"
dir kept
file kept/x "1"
file kept/y "2"
dir moved/er
file moved/er/x "1"
file linked "1"
hardlink linked2 = linked
file gone "1"
file becomes-dir "1"
dir becomes-file
file becomes-file/x "1"
`}})
	base := m.LowerDirs()[0]
	for _, do := range []string{
		"rm -r hidden && mkdir hidden && echo 2 >hidden/y", "rm kept/y", "mv moved away", "echo 2 >>linked", "rm gone",
		"rm becomes-dir && mkdir becomes-dir && echo 1 >becomes-dir/x", "rm -r becomes-file && echo 1 >becomes-file",
		"chmod 700 a", "setfattr -n user.new -v 1 n", "ln a/x again",
	} {
		run(t, m.Root(), "sh", "-ec", do)
	}
	want = lines(t, m.Root())
	m.Unmount(t)
	var lower bytes.Buffer
	if err := layertar.PackTree(context.Background(), &lower, openDir(t, base), layertar.RealIDs); err != nil {
		t.Fatal(err)
	}
	return [][]byte{lower.Bytes(), packed(t, sourceOf(t, m, layertar.RealIDs), packUpper)}, want
}

// imageOf makes an OCI layout of the archives.
func imageOf(t *testing.T, archives [][]byte) (layout string) {
	t.Helper()
	needProgram(t, "umoci", "umoci")
	dir, err := os.MkdirTemp("", "layertar") // podman takes no capitals
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // a temporary directory
	layout = filepath.Join(dir, "layout")
	run(t, "", "umoci", "init", "--layout", layout)
	run(t, "", "umoci", "new", "--image", layout+":x")
	for _, archive := range archives {
		file := filepath.Join(t.TempDir(), "layer.tar")
		if err := os.WriteFile(file, archive, 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, "", "umoci", "raw", "add-layer", "--image", layout+":x", file)
	}
	return layout
}

// TestUmociUnpacksOurs: another unpacker makes of our archives what the union
// showed.
func TestUmociUnpacksOurs(t *testing.T) {
	fstest.NeedRoot(t)
	archives, want := layerChain(t)
	layout := imageOf(t, archives)
	out := filepath.Join(t.TempDir(), "out")
	run(t, "", "umoci", "raw", "unpack", "--image", layout+":x", out)
	if diff := fstest.Diff(want, lines(t, out)); diff != "" {
		t.Errorf("umoci (+) makes another tree than the union (-) showed:\n%s", diff)
	}
}

// TestPodmanUnpacksOurs is the same with containers/storage.
func TestPodmanUnpacksOurs(t *testing.T) {
	fstest.NeedRoot(t)
	needProgram(t, "podman", "podman")
	archives, want := layerChain(t)
	layout := imageOf(t, archives)
	top := t.TempDir()
	podman := []string{"--root", top + "/root", "--runroot", top + "/run", "--storage-driver", "vfs"}
	run(t, "", "podman", append(podman, "pull", "-q", "oci:"+layout+":x")...)
	id := strings.TrimSpace(run(t, "", "podman", append(podman, "images", "-q")...))
	mounted := strings.TrimSpace(run(t, "", "podman", append(podman, "image", "mount", id)...))
	got := lines(t, mounted)
	for _, list := range [][]string{want, got} {
		list[0] = "" // the root gets its time when the last layer is in it
		for i := range list {
			// Docker's code knows no time before 1970.
			list[i] = strings.Replace(list[i], "mtime=-5.123456789", "mtime=0.000000000", 1)
		}
	}
	run(t, "", "podman", append(podman, "image", "umount", id)...)
	if diff := fstest.Diff(want, got); diff != "" {
		t.Errorf("podman (+) makes another tree than the union (-) showed:\n%s", diff)
	}
}

// TestLayersOfBuildah is the reverse: layers that containers/storage makes of
// changes show, unpacked by us and stacked, what it showed.
func TestLayersOfBuildah(t *testing.T) {
	fstest.NeedRoot(t)
	needProgram(t, "buildah", "buildah")
	archives, _ := layerChain(t)
	layout := imageOf(t, archives)
	top := t.TempDir()
	buildah := func(args ...string) string {
		t.Helper()
		args = append([]string{"--root", top + "/root", "--runroot", top + "/run", "--storage-driver", "vfs"}, args...)
		return strings.TrimSpace(run(t, "", "buildah", args...))
	}
	id := buildah("from", "-q", "oci:"+layout+":x")
	tree := buildah("mount", id)
	for _, do := range []string{
		"rm -r away && mkdir away && echo 3 >away/z", "rm b", "mv kept kept2", "chown 3:4 a", "mkfifo p2",
		"rm -r becomes-dir && ln -s a becomes-dir", "setfattr -n user.newer -v 1 n",
	} {
		run(t, tree, "sh", "-ec", do)
	}
	o := fstest.SnapshotOptions{NoNlink: true, NoMtime: true} // it keeps seconds
	want := linesWith(t, tree, o)
	buildah("commit", "-q", "-D", id, "oci:"+layout+":y")
	buildah("umount", id)
	var dirs []string
	for _, archive := range layersOf(t, layout, "y") {
		dirs = append([]string{unpack(t, archive).dir}, dirs...)
	}
	m := fstest.KernelMount(t, fstest.Layers{ReadOnly: true, At: &fstest.Dirs{Lower: dirs}})
	if diff := fstest.Diff(want, linesWith(t, m.Root(), o)); diff != "" {
		t.Errorf("its layers, unpacked (+), make another tree than it showed (-):\n%s", diff)
	}
}

// layersOf reads an image's archives, the lowest first.
func layersOf(t *testing.T, layout, tag string) (archives [][]byte) {
	t.Helper()
	type descriptor struct {
		Digest      string
		Annotations map[string]string
	}
	blob := func(digest string) []byte {
		b, err := os.ReadFile(filepath.Join(layout, "blobs", strings.Replace(digest, ":", "/", 1)))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var index struct{ Manifests []descriptor }
	raw, err := os.ReadFile(filepath.Join(layout, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	for _, m := range index.Manifests {
		if m.Annotations["org.opencontainers.image.ref.name"] != tag {
			continue
		}
		var manifest struct{ Layers []descriptor }
		if err := json.Unmarshal(blob(m.Digest), &manifest); err != nil {
			t.Fatal(err)
		}
		for _, l := range manifest.Layers {
			archives = append(archives, plain(t, blob(l.Digest)))
		}
	}
	return archives
}

// plain undoes gzip, if there is any.
func plain(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return b
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
