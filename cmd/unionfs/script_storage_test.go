package main

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"unionfs/volumes"
	"unionfs/volumes/plugin"
)

// databasePlace is where the database of the test's image is: a VOLUME with
// content of all kinds.
const databasePlace = "/var/lib/database"

// cmdDatabase: database FILE makes an image like a database's, as docker save
// writes it: busybox, Debian's sqlite3 and what that needs.
func cmdDatabase(ts *testscript.TestScript, _ bool, args []string) {
	cmdBusybox(ts, false, []string{args[0] + ".base"})
	base, err := os.ReadFile(ts.MkAbs(args[0] + ".base"))
	ts.Check(err)
	file := ts.MkAbs(args[0])
	top := databaseLayer(ts)
	img, err := mutate.AppendLayers(empty.Image, layerOf(ts, base), layerOf(ts, top))
	ts.Check(err)
	cfg, err := img.ConfigFile()
	ts.Check(err)
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", runtime.GOARCH
	cfg.Config = v1.Config{Volumes: map[string]struct{}{databasePlace: {}}, Cmd: []string{"/bin/sh"}}
	img, err = mutate.ConfigFile(img, cfg)
	ts.Check(err)
	tag, err := name.NewTag("database:1")
	ts.Check(err)
	ts.Check(tarball.WriteToFile(file, tag, img))
}

func layerOf(ts *testscript.TestScript, text []byte) v1.Layer {
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil })
	ts.Check(err)
	return l
}

// databaseLayer is what the image has beside busybox.
func databaseLayer(ts *testscript.TestScript) []byte {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(h tar.Header, body []byte) {
		h.Size, h.Format = int64(len(body)), tar.FormatPAX
		ts.Check(w.WriteHeader(&h))
		_, err := w.Write(body)
		ts.Check(err)
	}
	for _, file := range sqliteFiles(ts) {
		body, err := os.ReadFile(file)
		ts.Check(err)
		add(tar.Header{Name: strings.TrimPrefix(file, "/"), Typeflag: tar.TypeReg, Mode: 0o755}, body)
	}
	dir := strings.TrimPrefix(databasePlace, "/")
	add(tar.Header{Name: path.Dir(dir) + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	add(tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o710, Uid: 33, Gid: 34}, nil)
	add(tar.Header{
		Name: dir + "/seed", Typeflag: tar.TypeReg, Mode: 0o640, Uid: 33, Gid: 34,
		PAXRecords: map[string]string{"SCHILY.xattr.user.color": "blue"},
	}, []byte("seed\n"))
	add(tar.Header{Name: dir + "/same", Typeflag: tar.TypeLink, Linkname: dir + "/seed"}, nil)
	add(tar.Header{Name: dir + "/link", Typeflag: tar.TypeSymlink, Linkname: "seed"}, nil)
	add(tar.Header{Name: dir + "/sub/", Typeflag: tar.TypeDir, Mode: 0o2755}, nil)
	add(tar.Header{Name: dir + "/sub/big", Typeflag: tar.TypeReg, Mode: 0o600}, bytes.Repeat([]byte("big\n"), 1<<19))
	ts.Check(w.Close())
	return buf.Bytes()
}

// sqliteFiles are Debian's sqlite3 and its libraries.
func sqliteFiles(ts *testscript.TestScript) []string {
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		ts.Fatalf("needs sqlite3 (Debian's sqlite3): %v", err)
	}
	out, err := exec.Command("ldd", program).Output()
	ts.Check(err)
	files := []string{program}
	for _, m := range regexp.MustCompile(`(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		files = append(files, m[1])
	}
	return files
}

// cmdKillAfter: killafter MILLISECONDS COMMAND… kills a command with all its
// processes after that long, unless it has ended by then.
func cmdKillAfter(ts *testscript.TestScript, _ bool, args []string) {
	ms, err := strconv.Atoi(args[0])
	ts.Check(err)
	program, err := exec.LookPath(filepath.Join(ts.Getenv("BIN"), args[1]))
	ts.Check(err)
	cmd := exec.Command(program, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "UNIONFS_CONFIG=" + ts.Getenv("UNIONFS_CONFIG"), "XDG_RUNTIME_DIR=" + ts.Getenv("XDG_RUNTIME_DIR"), "HOME=" + ts.Getenv("HOME")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ts.Check(cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Duration(ms) * time.Millisecond):
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		<-ended
	}
}

// cmdCupboard: cupboard starts a volume plugin of that name in this process for
// the rest of the script: volumes are folders in $WORK/cupboard, and in
// $WORK/uses stands who has them.
func cmdCupboard(ts *testscript.TestScript, _ bool, _ []string) {
	folder := ts.MkAbs("run/docker/plugins")
	ts.Check(os.MkdirAll(folder, 0o700))
	ts.Check(os.Mkdir(ts.MkAbs("cupboard"), 0o755))
	l, err := net.Listen("unix", filepath.Join(folder, "cupboard.sock"))
	ts.Check(err)
	c := &cupboard{base: ts.MkAbs("cupboard"), tally: ts.MkAbs("uses")}
	ts.Check(c.write())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = (&plugin.Server{Driver: c, Allowed: plugin.NoPaths()}).Serve(ctx, l)
	}()
	ts.Defer(func() { stop(); <-done })
}

// cupboard is a driver whose volumes are folders.
type cupboard struct {
	base, tally string
	mu          sync.Mutex
	uses        []string
}

func (c *cupboard) write() error {
	return os.WriteFile(c.tally, []byte(strings.Join(append(slices.Clone(c.uses), ""), "\n")), 0o644)
}

func (c *cupboard) Name() string                          { return "cupboard" }
func (c *cupboard) Scope(context.Context) (string, error) { return "local", nil }

func (c *cupboard) Create(_ context.Context, volume string, _ map[string]string) error {
	return os.MkdirAll(filepath.Join(c.base, volume), 0o755)
}

func (c *cupboard) Get(_ context.Context, volume string) (volumes.Info, error) {
	if _, err := os.Stat(filepath.Join(c.base, volume)); err != nil {
		return volumes.Info{}, &volumes.NotFoundError{Name: volume}
	}
	return volumes.Info{Name: volume, Mountpoint: filepath.Join(c.base, volume)}, nil
}

func (c *cupboard) List(ctx context.Context) (all []volumes.Info, err error) {
	entries, err := os.ReadDir(c.base)
	for _, e := range entries {
		i, _ := c.Get(ctx, e.Name())
		all = append(all, i)
	}
	return all, err
}

func (c *cupboard) Mount(_ context.Context, volume, id string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uses = append(c.uses, volume+" "+id)
	return filepath.Join(c.base, volume), c.write()
}

func (c *cupboard) Unmount(_ context.Context, volume, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uses = slices.DeleteFunc(c.uses, func(use string) bool { return use == volume+" "+id })
	return c.write()
}

func (c *cupboard) Remove(_ context.Context, volume string) error {
	return os.RemoveAll(filepath.Join(c.base, volume))
}
