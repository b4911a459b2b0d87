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
	must(t, hot())
	must(t, m.server.Process.Signal(unix.SIGSTOP))
	done := make(chan error, 1)
	go func() {
		for range 10 {
			if err := hot(); err != nil {
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
	case <-time.After(5 * time.Second):
		t.Error("an open, a look, a read or a close waits for the server")
		must(t, m.server.Process.Signal(unix.SIGCONT))
		must(t, <-done)
	}
}
