package transport

import (
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// mounted is a mount that a test serves.
type mounted struct {
	path   string
	server *Server
	done   chan error
}

func mountFlat(t testing.TB, fs FileSystem) *mounted {
	t.Helper()
	m := &mounted{path: t.TempDir(), done: make(chan error, 1)}
	d, err := Mount(m.path, MountOptions{Source: "flat", Subtype: "flat"})
	if err != nil {
		t.Fatal(err)
	}
	m.server = NewServer(d, fs, Options{
		Want: fuse.CAP_BIG_WRITES | fuse.CAP_MAX_PAGES | fuse.CAP_READDIRPLUS | fuse.CAP_NO_OPEN_SUPPORT |
			fuse.CAP_NO_OPENDIR_SUPPORT | fuse.CAP_PARALLEL_DIROPS | fuse.CAP_ASYNC_READ,
		Log: func(line string) { t.Log(line) },
	})
	go func() {
		err := m.server.Serve()
		d.Close()
		m.done <- err
	}()
	t.Cleanup(func() {
		_ = UnmountLazy(m.path)
		select {
		case <-m.done:
		case <-time.After(10 * time.Second):
			t.Error("Serve didn't end")
		}
	})
	<-m.server.Ready()
	return m
}
