package volumes

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// AsDriver shows the store as a driver, for clients of other programs: their uses
// last until they end them, or the machine starts again. users is as in Remove.
func (s *Store) AsDriver(name string, users Users) Driver {
	return &asDriver{s, name, users}
}

type asDriver struct {
	s     *Store
	name  string
	users Users
}

func (d *asDriver) Name() string { return d.name }

func (d *asDriver) Scope(context.Context) (string, error) { return "local", nil }

func (d *asDriver) Create(ctx context.Context, name string, options map[string]string) error {
	_, err := d.s.Create(ctx, Request{Name: name, Options: options})
	return err
}

// ours reads a volume of our own driver. Those of plugins aren't there for our
// clients, who are to ask the plugins themselves.
func (d *asDriver) ours(name string) (Volume, error) {
	m, err := d.s.readMeta(name)
	if err != nil {
		return Volume{}, err
	}
	if m.Driver != Local {
		return Volume{}, &NotFoundError{name}
	}
	return d.s.ours(m)
}

func (d *asDriver) Get(_ context.Context, name string) (Info, error) {
	v, err := d.ours(name)
	if err != nil {
		return Info{}, err
	}
	return v.info(), nil
}

// info is a volume for other programs. One that is mounted on demand has no
// mountpoint until it is in use.
func (v *Volume) info() Info {
	return Info{Name: v.Name, Mountpoint: v.Mountpoint, CreatedAt: v.CreatedAt, Status: v.Status}
}

func (d *asDriver) List(context.Context) ([]Info, error) {
	names, err := d.s.names()
	if err != nil {
		return nil, err
	}
	var out []Info
	for _, name := range names {
		v, err := d.ours(name)
		switch {
		case err == nil:
			out = append(out, v.info())
		case !IsNotFound(err):
			d.s.warn(fmt.Sprintf("volume %q is left out: %v", name, err))
		}
	}
	return out, nil
}

func (d *asDriver) Mount(ctx context.Context, name, id string) (string, error) {
	return d.s.mountLasting(ctx, name, id)
}

func (d *asDriver) Unmount(ctx context.Context, name, id string) error {
	return d.s.withVolume(name, func(m *meta) error {
		uses, err := d.s.findUses(name)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(uses, func(u useState) bool { return u.ID == id && u.Lasts }) {
			return nil // it never was, or its end was said before
		}
		if err := d.s.endUse(ctx, m, id); err != nil {
			return err
		}
		return d.s.unmountIfUnused(m)
	})
}

func (d *asDriver) Remove(ctx context.Context, name string) error {
	if _, err := d.ours(name); err != nil {
		return err
	}
	return d.s.Remove(ctx, name, false, d.users)
}

// mountLasting begins a use that outlives this process. The same id twice is one
// use.
func (s *Store) mountLasting(ctx context.Context, name, id string) (path string, err error) {
	err = s.withVolume(name, func(m *meta) error {
		if m.Driver != Local {
			return fmt.Errorf("volume %q is kept by the driver %s, which is to be asked itself", name, m.Driver)
		}
		live, err := s.sweepUses(ctx, m)
		if err != nil {
			return err
		}
		known := slices.Contains(live, id)
		others := slices.DeleteFunc(live, func(other string) bool { return other == id })
		if !s.o.Shared && s.hasOwnMount(m) {
			return fmt.Errorf("volume %q can't be mounted for other programs in a user namespace, where they wouldn't see the mount: only the machine's root can offer it", name)
		}
		if !known {
			if _, err := s.beginUse(m, id, true); err != nil {
				return err
			}
		}
		path, err = s.mountLocal(ctx, m, others)
		if err != nil && !known {
			err = errors.Join(err, s.endUse(ctx, m, id))
		}
		return err
	})
	return path, err
}
