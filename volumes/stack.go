package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// stack is what a served volume is made of: frozen layers, the highest first, and
// a top that takes what is written.
type stack struct {
	Top    string   `json:"top"`
	Layers []string `json:"layers,omitempty"`
}

// errNoUnions says that no union can be mounted.
var errNoUnions = errors.New("volumes in layers, and with a size, need a union, which can't be mounted here: see unionfs info")

const (
	serverFile = "server"
	noneDir    = "none"
	// serverPatience is how long a server whose mount is gone may take to end.
	serverPatience = 20 * time.Second
)

// serverLock is what the server of a volume has locked.
func (s *Store) serverLock(m *meta) string { return s.path(m.Name, serverFile) }

// tree is what is to be mounted for a volume in layers.
func (s *Store) tree(ctx context.Context, m *meta) (Tree, error) {
	if s.o.Unions == nil {
		return Tree{}, errNoUnions
	}
	t := Tree{
		Name: m.Name, Upper: s.layerTree(m.Stack.Top), Work: s.path(layersDir, m.Stack.Top, workDir),
		Quota: m.Quota, Lock: s.serverLock(m),
	}
	here, err := s.namespace()
	if err != nil {
		return t, err
	}
	if here != 0 {
		t.Namespace = NamespaceFile(s.dir, here)
	}
	if t.Lowers, t.Image, err = s.lowers(ctx, m.Stack.Layers); err != nil {
		return t, err
	}
	if len(t.Lowers) == 0 {
		// A union wants something below: an empty directory.
		none := s.path(m.Name, noneDir)
		if err := os.MkdirAll(none, 0o755); err != nil {
			return t, err
		}
		t.Lowers = []string{none}
	}
	f, err := os.OpenFile(t.Lock, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return t, err
	}
	return t, f.Close()
}

func (s *Store) serveStack(ctx context.Context, m *meta, data string) error {
	t, err := s.tree(ctx, m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	if err := awaitServer(ctx, m.Name, t.Lock); err != nil {
		return err
	}
	return s.o.Unions.Serve(ctx, t, data)
}

// awaitServer waits for an earlier server of a volume to end: its mount is gone,
// but somebody may still have a file of it open.
func awaitServer(ctx context.Context, name, path string) error {
	for deadline := time.Now().Add(serverPatience); isHeld(path); {
		if time.Now().After(deadline) {
			return fmt.Errorf("volume %q is still served to somebody who has its files open, or is mounted in another mount namespace: end that first", name)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// LockServer takes the lock of a volume's server, which ends with the file's last
// descriptor. There is never more than one server of a volume.
func LockServer(ctx context.Context, name, path string) (*os.File, error) {
	for deadline := time.Now().Add(serverPatience); ; {
		l, err := tryLock(filepath.Clean(path))
		if err != errHeld {
			return l.f, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("volume %q is served by another process already", name)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
