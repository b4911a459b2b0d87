package volumes

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// createLocal makes a volume of our own, whose directory is staged.
func (s *Store) createLocal(ctx context.Context, st *stage, m *meta) error {
	o, err := parseLocal(m.Options)
	if err != nil {
		return err
	}
	m.Quota = o.size
	switch {
	case o.kernel != nil && o.from != "":
		return badOption("from", "it can't be had together with type, device and o")
	case o.kernel != nil && o.size > 0:
		return badOption("size", "it can't be had together with type, device and o: a tmpfs gets it as o=size=%s", m.Options["size"])
	case o.kernel != nil:
		if err := o.kernel.try(); err != nil {
			return err
		}
		return s.publish(st, m)
	case o.from != "":
		return s.createFrom(ctx, st, m, o.from)
	case o.size > 0:
		return s.createStack(st, m, nil, "")
	}
	return s.publish(st, m)
}

// try mounts what can be mounted without anything else being there, so that
// options which the kernel doesn't know are found at once.
func (k *kernelMount) try() error {
	if k.fstype != "tmpfs" || k.bind {
		return nil
	}
	f, err := k.open()
	if err == nil {
		f.Close()
	}
	if os.IsPermission(err) {
		return nil // an ordinary user, who mounts later, as root of a user namespace
	}
	return err
}

// createStack publishes a volume with a new top, on layers that are there. like
// is the directory that its root looks like; images are staged layers to be
// published too.
func (s *Store) createStack(st *stage, m *meta, layers []string, like string, images ...string) error {
	if s.o.Unions == nil {
		return errNoUnions
	}
	top, err := st.stageTop(like)
	if err != nil {
		return err
	}
	m.Stack = &stack{Top: top, Layers: layers}
	if err := writeJSON(st.path("volume", metaFile), m); err != nil {
		return err
	}
	return s.locked(func() error {
		if _, err := os.Lstat(s.path(m.Name)); err == nil {
			return fs.ErrExist
		}
		if err := s.haveLayers(layers, images); err != nil {
			return err
		}
		for _, id := range append(images, top) {
			if err := st.publishLayer(id); err != nil {
				return err
			}
		}
		return s.publishLocked(st, m.Name)
	})
}

// haveLayers makes sure that nobody removed layers meanwhile.
func (s *Store) haveLayers(layers, staged []string) error {
	for _, id := range layers {
		if slices.Contains(staged, id) {
			continue
		}
		if _, err := os.Lstat(s.path(layersDir, id)); err != nil {
			return fmt.Errorf("what the volume is to be made of was removed meanwhile: %w", err)
		}
	}
	return nil
}

// createFrom makes a volume over another one, or a snapshot of it, or an image.
func (s *Store) createFrom(ctx context.Context, st *stage, m *meta, from string) error {
	name, snap, _ := strings.Cut(from, "@")
	if CheckName(name) == nil {
		_, err := s.readMeta(name)
		if err == nil {
			return s.createClone(ctx, st, m, name, snap, nil)
		}
		if !IsNotFound(err) {
			return err
		}
	}
	if s.o.Unions == nil {
		return errNoUnions
	}
	id, err := st.stageImage(ctx, from)
	if err == nil {
		err = s.createOverImage(ctx, st, m, id)
	}
	if err != nil {
		if lerr := s.o.Unions.LetGo(ctx, holdName(id)); lerr != nil {
			s.warn(fmt.Sprintf("image %s stays held: %v", from, lerr))
		}
	}
	return err
}

func (s *Store) createOverImage(ctx context.Context, st *stage, m *meta, id string) error {
	root, err := s.o.Unions.Root(ctx, holdName(id))
	if err != nil {
		return err
	}
	return s.createStack(st, m, []string{id}, root, id)
}
