package plugin

import (
	"path/filepath"
	"testing"
)

// TestLife is the test's own driver first, so that the others are compared with
// something that keeps the promises.
func TestLife(t *testing.T) {
	checkLife(t, newFolders(t), nil, writable(t))
}

func TestLifeOverSocket(t *testing.T) {
	d, f := places(t), newFolders(t)
	serve(t, &Server{Driver: f, Allowed: NoPaths(), Log: func(line string) { t.Log(line) }},
		filepath.Join(d.Sockets[0], "ours.sock"))
	found := find(t, d, "ours")
	if found.Name() != "ours" {
		t.Errorf("the driver's name is %q", found.Name())
	}
	checkLife(t, found, map[string]string{"size": "1G", "from": "docker.io/library/busybox:latest"}, writable(t))
	if scope, err := found.Scope(t.Context()); scope != "global" || err != nil {
		t.Errorf("the scope is %q, %v", scope, err)
	}
}
