package plugin

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"unionfs/volumes"
)

// rclone starts "rclone serve docker" at an address and waits for it.
func rclone(t *testing.T, d Directories, address string) volumes.Driver {
	t.Helper()
	need(t, "rclone")
	if err := exec.Command("sh", "-c", ": <>/dev/fuse").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("needed in CI: /dev/fuse")
		}
		t.Skip("needs /dev/fuse")
	}
	base := t.TempDir()
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
		"--socket-addr", address, "--no-spec")
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
	return find(t, d, "rclone", Patience(DefaultPatience))
}

func rcloneAtSocket(t *testing.T) volumes.Driver {
	d := places(t)
	return rclone(t, d, filepath.Join(d.Sockets[0], "rclone.sock"))
}

// TestRclone is the life of a volume with each of the backends that need no
// network.
func TestRclone(t *testing.T) {
	d := rcloneAtSocket(t)
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

// TestRcloneTCP is a plugin that is found by a file with its address.
func TestRcloneTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	d := places(t)
	write(t, filepath.Join(d.Specs[1], "rclone.spec"), "tcp://"+address+"\n")
	checkLife(t, rclone(t, d, address), map[string]string{"type": "memory", "path": "bucket", "vfs-cache-mode": "writes"}, writable(t))
}

func TestRcloneRefuses(t *testing.T) {
	d := rcloneAtSocket(t)
	err := d.Create(t.Context(), "odd", map[string]string{"type": "nosuchbackend"})
	if said := refusal(err); said == nil || said.Status != 500 || said.Text == "" {
		t.Errorf("Create with an unknown backend: %v", err)
	}
}
