package volumes

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Use is a hold on a volume. It ends with Release, or with the process.
type Use struct {
	s    *Store
	name string
	id   string
	lock lock

	path string
}

// Use begins a use of a volume; id is of this use alone. The volume's files are
// at Path until Release.
func (s *Store) Use(ctx context.Context, name, id string) (*Use, error) {
	u := &Use{s: s, name: name, id: id}
	err := s.withVolume(name, func(m *meta) (err error) {
		live, err := s.sweepUses(ctx, m)
		if err != nil {
			return err
		}
		if slices.Contains(live, id) {
			return fmt.Errorf("volume %q: a use with the id %s is there already", name, id)
		}
		if u.lock, err = s.beginUse(m, id, false); err == nil {
			err = u.mountIt(ctx, m, live)
		}
		if err != nil {
			err = errors.Join(err, s.endUse(ctx, m, id))
			u.unlock()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

func (u *Use) unlock() {
	if u.lock.f != nil {
		u.lock.release()
	}
}

func (u *Use) mountIt(ctx context.Context, m *meta, others []string) (err error) {
	d, err := u.s.driver(ctx, m.Driver)
	if err != nil {
		return err
	}
	if d != nil {
		if u.path, err = d.Mount(ctx, m.Name, u.id); err == nil {
			err = u.s.settleForeign(m, u.path)
		}
		return err
	}
	u.path, err = u.s.mountLocal(ctx, m, others)
	if err == nil && len(others) == 0 {
		err = u.s.tidy(m, u.dir())
	}
	return err
}

// Path is where the volume's files are, as this process sees it.
func (u *Use) Path() string { return u.path }

// dir is Path for those who don't follow a path's last name.
func (u *Use) dir() string { return u.path + "/." }

// Release ends the use.
func (u *Use) Release(ctx context.Context) error {
	err := u.s.withVolume(u.name, func(m *meta) error {
		if err := u.s.endUse(ctx, m, u.id); err != nil {
			return err
		}
		u.unlock()
		_, err := u.s.sweepUses(ctx, m)
		return errors.Join(err, u.s.unmountIfUnused(m))
	})
	u.unlock() // what couldn't be ended is for a later command
	if IsNotFound(err) {
		return nil
	}
	return err
}
