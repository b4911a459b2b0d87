package plugin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// freeAddress is one of loopback that nobody listens at, for a program that takes no
// open socket. The kernel gives no such ports to others who ask for any: it takes
// theirs from ip_local_port_range (ip-sysctl.rst), which begins at 32768.
func freeAddress(t *testing.T) string {
	t.Helper()
	var failed error
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(22000)))
		if err != nil {
			failed = err
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	t.Fatal(failed)
	return ""
}

// TestRcloneTCP is a plugin that is found by a file with its address.
func TestRcloneTCP(t *testing.T) {
	address := freeAddress(t)
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

// TestRcloneFill fills volumes of a file system that knows neither owners nor
// links, and whose files may have to be written in one go.
func TestRcloneFill(t *testing.T) {
	d := rcloneAtSocket(t)
	store, err := volumes.Open(filepath.Join(t.TempDir(), "volumes"), volumes.Options{
		Plugin: func(context.Context, string) (volumes.Driver, error) { return d, nil },
		Warn:   func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	from := t.TempDir()
	if err := os.MkdirAll(filepath.Join(from, "dir/deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(from, "file"), "text")
	write(t, filepath.Join(from, "empty"), "")
	write(t, filepath.Join(from, "dir/deep/big"), strings.Repeat("0123456789", 100_000))
	if err := os.Link(filepath.Join(from, "file"), filepath.Join(from, "same")); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]map[string]string{
		"local-off":    {"remote": t.TempDir()},
		"local-writes": {"remote": t.TempDir(), "vfs-cache-mode": "writes", "vfs-write-back": "0s"},
		"alias-full":   {"type": "alias", "alias-remote": t.TempDir(), "vfs-cache-mode": "full"},
		"memory-off":   {"type": "memory", "path": "off"},
		"memory-full":  {"type": "memory", "path": "full", "vfs-cache-mode": "full"},
	} {
		t.Run(name, func(t *testing.T) { checkFill(t, store, name, options, from) })
	}
}

func checkFill(t *testing.T, store *volumes.Store, name string, options map[string]string, from string) {
	ctx := t.Context()
	if _, err := store.Create(ctx, volumes.Request{Name: name, Driver: "rclone", Options: options}); err != nil {
		t.Fatal(err)
	}
	u, err := store.Use(ctx, name, "one")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := u.Release(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	fills := 0
	fill := func(dir int, foreign bool) (bool, error) {
		fills++
		return true, volumes.CopyTree(ctx, int(src.Fd()), dir, volumes.CopyOptions{Foreign: foreign})
	}
	for range 2 {
		if err := u.Fill(ctx, fill); err != nil {
			t.Fatal(err)
		}
	}
	if fills != 1 {
		t.Errorf("filled %d times", fills)
	}
	if diff, err := exec.Command("diff", "-rq", from, u.Path()).CombinedOutput(); err != nil {
		t.Errorf("what is in the volume differs: %v: %s", err, diff)
	}
	if entries, err := os.ReadDir(u.Path()); err != nil || len(entries) != 4 {
		t.Errorf("the volume has %v, %v", entries, err)
	}
}
