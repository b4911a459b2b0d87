package runner

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// socketAge is how long a monitor may take from making its folder to listening
// in it.
const socketAge = time.Minute

// sweepSockets removes the folders of monitors that were killed, of whatever
// store: nobody listens in them any more.
func sweepSockets(runDir string) {
	entries, err := os.ReadDir(runDir)
	if err != nil {
		return // nobody was here yet
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil || !e.IsDir() || !isShortID(e.Name()) || time.Since(fi.ModTime()) < socketAge {
			continue
		}
		dir := filepath.Join(runDir, e.Name())
		conn, err := net.Dial("unix", filepath.Join(dir, socketName))
		switch {
		case err == nil:
			conn.Close()
		case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT):
			_ = os.RemoveAll(dir) // what stays is for the next one
		}
	}
}

// isShortID tells whether a name is one that runDir gives (Snapshot.Short).
func isShortID(name string) bool {
	return len(name) == 12 && strings.Trim(name, "0123456789abcdef") == ""
}
