package fs_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"unionfs/fs"
	"unionfs/fs/fstest"
	"unionfs/fs/transport"
	"unionfs/fs/union"
)

// serveVariable makes this test binary a server: a mount that is used must be
// served by another process than the one that uses it.
const serveVariable = "UNIONFS_TEST_SERVE"

// noFileVariable is the server's limit of descriptors.
const noFileVariable = "UNIONFS_TEST_NOFILE"

func TestMain(m *testing.M) {
	if spec := os.Getenv(serveVariable); spec != "" {
		if err := serve(spec); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func serve(spec string) error {
	var cfg fs.Config
	if err := json.Unmarshal([]byte(spec), &cfg); err != nil {
		return err
	}
	if limit, err := strconv.ParseUint(os.Getenv(noFileVariable), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			return err
		}
	}
	cfg.Log = func(line string) { fmt.Fprintln(os.Stderr, line) }
	cfg.Union.Warn = cfg.Log
	if os.Getenv(stuckVariable) != "" {
		neverAnswer(&cfg)
	}
	s, err := fs.Mount(cfg)
	if err != nil {
		return err
	}
	fmt.Println("ok")
	if os.Getenv(stuckVariable) != "" {
		useOwn(cfg.Target)
	}
	return s.Wait()
}

// mounted is a union under test.
type mounted struct {
	dirs   fstest.Dirs
	target string
	cfg    fs.Config
	server *exec.Cmd
	stderr *strings.Builder
}

// mountWith makes a NewMount whose union is configured by adapt.
func mountWith(adapt func(cfg *fs.Config)) fstest.NewMount {
	return func(t *testing.T, layers fstest.Layers) fstest.Mounted {
		t.Helper()
		fstest.NeedFUSE(t)
		m := &mounted{dirs: layers.Dirs(t), target: filepath.Join(t.TempDir(), "union")}
		for _, dir := range []string{filepath.Dir(m.target), filepath.Dir(filepath.Dir(m.target))} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(m.target, 0o755); err != nil {
			t.Fatal(err)
		}
		m.cfg = fs.Config{Target: m.target, FD: -1, Union: union.Config{
			Lower: m.dirs.Lower, Upper: m.dirs.Upper, Work: m.dirs.Work,
		}}
		if adapt != nil {
			adapt(&m.cfg)
		}
		m.mount(t)
		t.Cleanup(func() { m.Unmount(t) })
		return m
	}
}

var newMount = mountWith(nil)

func (m *mounted) mount(t testing.TB) {
	t.Helper()
	m.server = exec.Command(os.Args[0])
	m.server.Env = append(os.Environ(), serveVariable+"="+m.spec(t))
	m.stderr = new(strings.Builder)
	m.server.Stderr = io.MultiWriter(m.stderr, os.Stderr)
	out, err := m.server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.server.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "ok\n" {
		_ = m.server.Wait()
		m.server = nil
		t.Fatalf("mount: %s", strings.TrimSpace(line))
	}
}

// spec is what the server is told.
func (m *mounted) spec(t testing.TB) string {
	t.Helper()
	spec, err := json.Marshal(m.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return string(spec)
}

func (m *mounted) Root() string        { return m.target }
func (m *mounted) Upper() string       { return m.dirs.Upper }
func (m *mounted) Work() string        { return m.dirs.Work }
func (m *mounted) LowerDirs() []string { return m.dirs.Lower }

// Unmount ends the mount; the server must then end by itself, without having
// had an incident.
func (m *mounted) Unmount(t testing.TB) {
	t.Helper()
	if m.server == nil {
		return
	}
	if err := transport.Unmount(m.target); err != nil {
		t.Errorf("unmount: %v", err)
		_ = transport.UnmountLazy(m.target)
	}
	if err := m.server.Wait(); err != nil {
		t.Errorf("server: %v", err)
	}
	if strings.Contains(m.stderr.String(), "incident") || strings.Contains(m.stderr.String(), "DATA RACE") {
		t.Error("the server had an incident; see above")
	}
	m.server = nil
}

func (m *mounted) Remount(t testing.TB) {
	t.Helper()
	m.Unmount(t)
	m.mount(t)
}
