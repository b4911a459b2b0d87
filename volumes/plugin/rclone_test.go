package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"unionfs/volumes"
)

// rclone starts "rclone serve docker" and finds it by its socket.
func rclone(t *testing.T, options ...Option) volumes.Driver {
	t.Helper()
	need(t, "rclone")
	if err := exec.Command("sh", "-c", ": <>/dev/fuse").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("needed in CI: /dev/fuse")
		}
		t.Skip("needs /dev/fuse")
	}
	d, base := places(t), t.TempDir()
	for _, dir := range []string{"mounts", "cache"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(base, "rclone.conf")
	if err := os.WriteFile(conf, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("rclone", "serve", "docker", "--config", conf,
		"--base-dir", filepath.Join(base, "mounts"), "--cache-dir", filepath.Join(base, "cache"),
		"--socket-addr", filepath.Join(d.Sockets[0], "rclone.sock"))
	log, err := os.Create(filepath.Join(base, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("rclone says:\n%s", text)
		}
	})
	// The program was started just now: Find waits for its socket.
	return find(t, d, "rclone", append([]Option{Patience(DefaultPatience)}, options...)...)
}

// TestRclone is the life of a volume with each of the backends that need no
// network.
func TestRclone(t *testing.T) {
	began := time.Now()
	d := rclone(t)
	t.Logf("found after %s", time.Since(began))
	if scope, err := d.Scope(t.Context()); scope != "local" || err != nil {
		t.Errorf("the scope is %q, %v", scope, err)
	}
	folder := t.TempDir()
	for name, options := range map[string]map[string]string{
		"local":  {"remote": folder, "vfs-cache-mode": "writes", "vfs-write-back": "0s"},
		"alias":  {"type": "alias", "alias-remote": folder, "vfs-cache-mode": "writes", "vfs-write-back": "0s"},
		"memory": {"type": "memory", "path": "bucket", "vfs-cache-mode": "writes"},
	} {
		t.Run(name, func(t *testing.T) { checkLife(t, d, options, writable(t)) })
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) == 0 {
		t.Errorf("nothing of what was written arrived: %v, %v", left, err)
	}
}

func TestRcloneRefuses(t *testing.T) {
	d := rclone(t)
	err := d.Create(t.Context(), "odd", map[string]string{"type": "nosuchbackend"})
	if said := refusal(err); said == nil || said.Status != 500 || said.Text == "" {
		t.Errorf("Create with an unknown backend: %v", err)
	}
}
