package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
	"unionfs/volumes"
)

// Runner keeps the containers of a store. Its methods may be called from any
// number of goroutines and processes.
type Runner struct {
	Store *layerstore.Store
	// Driver names the storage driver of new containers; "" is auto.
	Driver string
	// RunDir is for sockets: short, and the user's own.
	RunDir string
	// Volumes keeps those of containers; nil for a runner that doesn't start any.
	Volumes *volumes.Store
	// Warn gets a line for what is odd and goes on.
	Warn func(line string)
}

// Container is one container as it is now.
type Container struct {
	layerstore.Snapshot
	Spec  Spec
	State State
}

// kept is what a container's snapshot holds of it (layerstore.Snapshot.Data).
type kept struct {
	Container *Spec `json:"container"`
}

func dataOf(s Spec) (json.RawMessage, error) { return json.Marshal(kept{&s}) }

// open reads a container's spec and state; ok is false for a snapshot that is
// no container.
func (r *Runner) open(n layerstore.Snapshot) (c Container, ok bool, err error) {
	var k kept
	if len(n.Data) > 0 {
		if err := json.Unmarshal(n.Data, &k); err != nil {
			return c, false, fmt.Errorf("container %s: its spec is damaged: %w", n.Short(), err)
		}
	}
	if k.Container == nil {
		return c, false, nil
	}
	c = Container{Snapshot: n, Spec: *k.Container}
	c.State, err = r.state(&c.Snapshot)
	return c, true, err
}

// List answers all containers, the newest first. It warns of damaged ones, and leaves
// them out: they are in nobody else's way.
func (r *Runner) List() ([]Container, error) {
	all, err := r.Store.SoundSnapshots()
	if err != nil {
		return nil, err
	}
	return r.listed(all, func(err error) error {
		r.Warn(fmt.Sprintf("%v: it is left out", err))
		return nil
	})
}

// listAll is List for those who take away, or hand out again, what no container has: a
// damaged one is an error, since nobody knows what it has.
func (r *Runner) listAll() ([]Container, error) {
	all, err := r.Store.Snapshots()
	if err != nil {
		return nil, err
	}
	return r.listed(all, func(err error) error { return err })
}

// listed asks about damaged ones whether they are the end.
func (r *Runner) listed(all []layerstore.Snapshot, damaged func(error) error) ([]Container, error) {
	var out []Container
	for _, n := range slices.Backward(all) {
		c, ok, err := r.open(n)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed since
		case err != nil:
			if err := damaged(err); err != nil {
				return nil, err
			}
		case ok:
			out = append(out, c)
		}
	}
	return out, nil
}

// UnknownError says that there is no such container.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("no container %q: unionfs ps -a lists them", e.Name)
}

// Find looks for a container by name or by the beginning of its id.
func (r *Runner) Find(what string) (Container, error) {
	all, err := r.List()
	if err != nil {
		return Container{}, err
	}
	return Among(all, what)
}

// Among finds one of several containers, as Find does: a whole name or id counts
// more than the beginning of an id, which a short name may be too.
func Among(all []Container, what string) (Container, error) {
	var hits []Container
	for _, c := range all {
		if what != "" && (c.Name == what || c.ID == what) {
			return c, nil
		}
		if what != "" && strings.HasPrefix(c.ID, what) {
			hits = append(hits, c)
		}
	}
	switch len(hits) {
	case 0:
		return Container{}, &UnknownError{what}
	case 1:
		return hits[0], nil
	}
	return Container{}, fmt.Errorf("%q is the beginning of %d containers' ids: give more of it", what, len(hits))
}

// file is a path in the container's folder.
func (c *Container) file(elem ...string) string {
	return filepath.Join(append([]string{c.Dir()}, elem...)...)
}

// LogPath is where the container's output is kept.
func (c *Container) LogPath() string { return c.file("log") }

// driver answers who keeps the container's files.
func (r *Runner) driver(c *Container) (driver.Driver, error) { return driver.Of(c.Snapshot, r.Store) }

// config is the config of the container's image.
func (r *Runner) config(c *Container) (v1.Config, error) {
	if c.Image == "" {
		return v1.Config{}, nil
	}
	cfg, err := r.Store.Config(c.Image)
	if err != nil {
		return v1.Config{}, err
	}
	return cfg.Config, nil
}

// runDir is the container's folder for sockets, made when missing.
func (r *Runner) runDir(c *Container) (string, error) {
	if err := os.MkdirAll(r.RunDir, 0o700); err != nil {
		return "", fmt.Errorf("%w: set XDG_RUNTIME_DIR to a folder of your own, or leave it out", err)
	}
	if err := ownFolder(r.RunDir); err != nil {
		return "", err
	}
	dir := filepath.Join(r.RunDir, c.Short())
	return dir, os.MkdirAll(dir, 0o700)
}

// ownFolder refuses a folder that others have made, or may write to, as everybody may
// in /tmp: who speaks to a socket there would speak to them.
func ownFolder(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return &os.PathError{Op: "lstat", Path: dir, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s isn't this user's alone (owner %d, mode %04o): remove it, or set XDG_RUNTIME_DIR to a folder of your own", dir, st.Uid, st.Mode&0o7777)
	}
	return nil
}
