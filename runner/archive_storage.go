package runner

import (
	"context"
	"fmt"
	"path"
	"strings"

	"unionfs/layerstore/driver"
	"unionfs/runner/sandbox"
)

// inRoot mounts the root of a container that doesn't run, with its volumes, binds
// and images where one that runs has them, for as long as do runs. What is at name
// is what do is about.
func (r *Runner) inRoot(ctx context.Context, c *Container, name string, do func(root int, ids sandbox.IDMaps) error) error {
	m := &monitor{r: r, c: c}
	mount, err := m.openRoot(ctx)
	if err != nil {
		return err
	}
	root := m.root
	defer letGo(mount, root)
	m.plan.IDMaps = m.ids
	h := &held{}
	defer h.release() // when nothing is mounted on the root any more
	mounts, err := m.openForCopy(ctx, name, h)
	if err != nil {
		return err
	}
	use := func() error {
		err := do(int(root.Fd()), m.ids)
		if serr := c.sync(int(root.Fd())); err == nil {
			err = serr
		}
		return err
	}
	if len(mounts) == 0 {
		return driver.Apart(use)
	}
	refused := func(place *sandbox.Mount, err error) error {
		return m.leftOut(name, place.Target, fmt.Errorf("%s at %s: %w", place.Source, place.Target, err))
	}
	return driver.Apart(func() error {
		if err := actAsRootOf(m.ids); err != nil { // who makes what is missing
			return err
		}
		return sandbox.Assembled(root, mounts, refused, use)
	})
}

// leftOut is about a mount that can't be had: an error where the path leads to it.
func (m *monitor) leftOut(name, place string, err error) error {
	if leadsTo(name, place) {
		return err
	}
	m.r.Warn(fmt.Sprintf("left out of the copy: %v", err))
	return nil
}

// openForCopy opens what the container mounts.
func (m *monitor) openForCopy(ctx context.Context, name string, h *held) (out []sandbox.Mount, err error) {
	for _, mount := range m.c.Spec.storage() {
		if mount.Type == TmpfsMount {
			continue // it is empty while nobody runs
		}
		mount.forCopy()
		file, err := m.open(ctx, &mount, h)
		if err != nil {
			if err := m.leftOut(name, mount.Target, fmt.Errorf("%s: %w", mount.title(), err)); err != nil {
				return nil, err
			}
			continue
		}
		planned := mount.plan(m.c.Spec.Privileged)
		planned.Fd = file
		out = append(out, planned)
	}
	return mergeMounts(nil, out), nil
}

// forCopy makes a mount what is copied from or to: nobody is given its files, and
// nothing that would be gone with this copy's end can be written to.
func (m *Mount) forCopy() {
	m.ReadOnly = m.ReadOnly || m.Overlay
	m.Overlay, m.Writable, m.Chown = false, false, false
	// What is mounted in a bind meanwhile isn't the machine's to see.
	m.Propagation = ""
}

// leadsTo tells whether a path leads into a place, or the place is below it, but
// for symlinks.
func leadsTo(name, place string) bool {
	name, place = asDir(name), asDir(place)
	return strings.HasPrefix(name, place) || strings.HasPrefix(place, name)
}

func asDir(name string) string {
	return strings.TrimSuffix(path.Clean("/"+name), "/") + "/"
}
