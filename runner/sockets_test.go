package runner

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestSweepSockets(t *testing.T) {
	top, err := os.MkdirTemp("", "s") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(top)
	old := time.Now().Add(-2 * socketAge)
	for _, c := range []struct {
		name                 string
		listens, dead, young bool
		stays                bool
	}{
		{name: "a0000000000a", listens: true, stays: true},
		{name: "b0000000000b", listens: true, dead: true},
		{name: "c0000000000c"},
		{name: "other", stays: true},
		{name: "d0000000000d", young: true, stays: true},
	} {
		dir := filepath.Join(top, c.name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if c.listens {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, socketName), Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			if c.dead {
				l.Close()
			} else {
				defer l.Close()
			}
		}
		if !c.young {
			if err := os.Chtimes(dir, old, old); err != nil {
				t.Fatal(err)
			}
		}
		sweepSockets(top)
		if _, err := os.Stat(dir); (err == nil) != c.stays {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
