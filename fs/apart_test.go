package fs_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs"
	"unionfs/fs/fstest"
	"unionfs/fs/transport"
)

// stuckVariable makes a server that uses its own mount, and never answers.
const stuckVariable = "UNIONFS_TEST_STUCK"

// neverAnswer makes cfg's server stop at a request about this name.
const neverAnswered = "never-answered"

func neverAnswer(cfg *fs.Config) {
	cfg.Debug = true
	cfg.Log = func(line string) {
		if strings.Contains(line, neverAnswered) {
			fmt.Println("stuck")
			select {}
		}
	}
}

// useOwn waits for an answer of the server, which is this process.
func useOwn(target string) {
	go func() {
		_ = fs.Apart(func() error {
			var st unix.Stat_t
			return unix.Stat(filepath.Join(target, neverAnswered), &st)
		})
	}()
}

// TestKilledWhileItWaitsForItself: such a server must go, and its mount with it.
func TestKilledWhileItWaitsForItself(t *testing.T) { killedWhileItWaits(t) }

// TestKilledOverUring: whatever keeps a ring alive must not keep the connection.
func TestKilledOverUring(t *testing.T) {
	fstest.NeedUring(t)
	killedWhileItWaits(t)
}

func killedWhileItWaits(t *testing.T) {
	t.Helper()
	fstest.NeedFUSE(t)
	m := &mounted{dirs: fstest.Layers{Lower: []string{"file f \"lower\""}}.Dirs(t), target: t.TempDir()}
	m.cfg = fs.Config{Target: m.target, FD: -1}
	m.cfg.Union.Lower = m.dirs.Lower
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+m.spec(t), stuckVariable+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = transport.UnmountLazy(m.target) })
	said := make([]byte, len("ok\nstuck\n"))
	if _, err := io.ReadFull(out, said); err != nil || !strings.Contains(string(said), "stuck") {
		t.Fatalf("the server says %q, %v", said, err)
	}
	must(t, cmd.Process.Kill())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait() // it was killed
	}()
	select {
	case <-gone:
	case <-time.After(time.Minute):
		t.Fatal("it was killed a minute ago and is still there")
	}
	if _, err := os.ReadFile(filepath.Join(m.target, "f")); err == nil {
		t.Error("its mount still answers")
	}
}
