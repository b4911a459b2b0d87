package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/volumes"
	"unionfs/volumes/plugin"
)

// volumeServer is a store with "unionfs volume serve" over it, for whoever runs the
// test.
type volumeServer struct {
	t    *testing.T
	dir  string
	args []string
	cmd  *exec.Cmd
}

func serveVolumes(t *testing.T, flags ...string) *volumeServer {
	t.Helper()
	s := &volumeServer{t: t, dir: t.TempDir()}
	if err := os.Mkdir(filepath.Join(s.dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.args = append([]string{filepath.Join(programs(t), "unionfs"), "--root", filepath.Join(s.dir, "store"), "volume", "serve"}, flags...)
	s.start()
	t.Cleanup(func() {
		if s.cmd != nil {
			s.end()
		}
	})
	return s
}

func (s *volumeServer) command() *exec.Cmd {
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+filepath.Join(s.dir, "run"))
	return cmd
}

func (s *volumeServer) path() string { return filepath.Join(s.dir, "run/docker/plugins/unionfs.sock") }

func (s *volumeServer) start() {
	s.t.Helper()
	s.cmd = s.command()
	s.cmd.Stderr = s.t.Output()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// end asks the server to end, which it must do well.
func (s *volumeServer) end() {
	s.t.Helper()
	_ = s.cmd.Process.Signal(unix.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the server ended with: %v", err)
	}
	s.cmd = nil
	if _, err := os.Lstat(s.path()); !os.IsNotExist(err) {
		s.t.Errorf("its socket is left: %v", err)
	}
}

// find waits for the server as any client does.
func (s *volumeServer) find() volumes.Driver {
	s.t.Helper()
	dir := filepath.Dir(s.path())
	d, err := plugin.Find(s.t.Context(), "unionfs", plugin.In(plugin.Directories{Sockets: []string{dir}}))
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// TestVolumeServe is our own client with our own server, over a restart.
func TestVolumeServe(t *testing.T) {
	s := serveVolumes(t)
	d, ctx := s.find(), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Lstat(s.path()); err != nil || info.Mode().String() != "Srw-------" {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	if scope, err := d.Scope(ctx); err != nil || scope != "local" {
		t.Errorf("the scope is %s, %v", scope, err)
	}
	must(d.Create(ctx, "data", nil))
	must(d.Create(ctx, "data", nil))
	at, err := d.Mount(ctx, "data", "1")
	must(err)
	must(os.WriteFile(filepath.Join(at, "file"), []byte("text"), 0o644))

	if out, err := s.command().CombinedOutput(); err == nil || !strings.Contains(string(out), "another server listens at "+s.path()) {
		t.Errorf("a second server: %v\n%s", err, out)
	}
	s.end()
	s.start()
	d = s.find()
	if err := d.Remove(ctx, "data"); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a volume that was mounted before the restart is removed: %v", err)
	}
	again, err := d.Mount(ctx, "data", "2")
	must(err)
	if text, err := os.ReadFile(filepath.Join(again, "file")); err != nil || string(text) != "text" {
		t.Errorf("after the restart there is %q, %v", text, err)
	}
	must(d.Unmount(ctx, "data", "1"))
	must(d.Unmount(ctx, "data", "2"))
	must(d.Remove(ctx, "data"))
	if _, err := d.Get(ctx, "data"); !volumes.IsNotFound(err) {
		t.Errorf("what was removed: %v", err)
	}
}
