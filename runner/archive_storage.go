package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// storageAt finds the volume or bind of a container that a path leads into, and
// what is left of the path there. Symlinks on the way are the image's, and aren't
// followed to a mount.
func (c *Container) storageAt(name string) (found *Mount, rest string) {
	name = path.Clean("/" + name)
	for _, m := range c.Spec.storage() {
		target := path.Clean("/" + m.Target)
		below, ok := strings.CutPrefix(name+"/", strings.TrimSuffix(target, "/")+"/")
		if !ok || m.Type != VolumeMount && m.Type != BindMount {
			continue
		}
		if found == nil || len(target) >= len(path.Clean("/"+found.Target)) {
			found, rest = &m, path.Clean("/"+below)
		}
	}
	return found, rest
}

// inStorage does something in a mount of a container that doesn't run.
func (r *Runner) inStorage(ctx context.Context, c *Container, m *Mount, writes bool, rest string, do func(root int, name string) error) (err error) {
	if writes && m.ReadOnly {
		return fmt.Errorf("%s is read-only in the container", m.title())
	}
	place := m.Source
	if m.Type == VolumeMount {
		if err := r.ensure(ctx, m); err != nil {
			return err
		}
		use, err := r.Volumes.Use(ctx, m.Source, c.ID+"-"+anonymousName()[:12])
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, use.Release(context.WithoutCancel(ctx))) }()
		place = use.Path()
	}
	if m.Type == BindMount {
		fi, err := os.Stat(place)
		if err != nil {
			return fmt.Errorf("%s: %w", m.title(), err)
		}
		if !fi.IsDir() {
			place, rest = path.Dir(place), path.Base(place)
		}
	}
	root, err := openIn(place, m.Subpath)
	if err != nil {
		return fmt.Errorf("%s: %w", m.title(), err)
	}
	defer unix.Close(root)
	return do(root, rest)
}
