package fs_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// TestHotOpensOfReadOnly: where nobody writes, a file that is in memory is
// opened, looked at, read and closed without a request: also while the server
// is stopped.
func TestHotOpensOfReadOnly(t *testing.T) {
	m := newMount(t, fstest.Layers{Lower: []string{"file f \"lower\""}, ReadOnly: true}).(*mounted)
	path := filepath.Join(m.Root(), "f")
	hot := func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.Stat(); err != nil {
			return err
		}
		_, err = io.ReadAll(f)
		return err
	}
	// Who makes the kernel forget names and files in between, as the tests of other
	// packages do, has it ask again; a server that is needed is needed each time.
	for range 5 {
		if withoutServer(t, m, hot) {
			return
		}
	}
	t.Error("an open, a look, a read or a close waits for the server")
}

// withoutServer says whether something that was just done can be done while the server
// is stopped.
func withoutServer(t *testing.T, m *mounted, do func() error) (can bool) {
	t.Helper()
	must(t, do())
	must(t, m.server.Process.Signal(unix.SIGSTOP))
	done := make(chan error, 1)
	go func() {
		for range 10 {
			if err := do(); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	select {
	case err := <-done:
		must(t, m.server.Process.Signal(unix.SIGCONT))
		must(t, err)
		return true
	case <-time.After(2 * time.Second):
		must(t, m.server.Process.Signal(unix.SIGCONT))
		must(t, <-done)
		return false
	}
}
