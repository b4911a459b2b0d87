package volumes

import (
	"context"
	"fmt"
	"os"
)

// Users answers the names of the containers that refer to a volume, whether they
// run or not; nil knows of none.
type Users func(volume string) ([]string, error)

// Remove deletes a volume and its data, unless it is in use. force forgets one
// whose plugin can't remove it.
func (s *Store) Remove(ctx context.Context, name string, force bool, users Users) error {
	st, err := s.newStage()
	if err != nil {
		return err
	}
	defer st.close()
	err = s.withVolume(name, func(m *meta) error {
		if err := s.unused(ctx, m, users); err != nil {
			return err
		}
		if err := s.removeFromDriver(ctx, m, force); err != nil {
			return err
		}
		return s.locked(func() error { return os.Rename(s.path(name), st.path("volume")) })
	})
	if err != nil {
		return err
	}
	return s.collectLayers(ctx)
}

func (s *Store) removeFromDriver(ctx context.Context, m *meta, force bool) error {
	d, err := s.driver(ctx, m.Driver)
	if err == nil && d != nil {
		err = d.Remove(ctx, m.Name)
	}
	if err != nil && !IsNotFound(err) {
		if !force {
			return err
		}
		s.warn(fmt.Sprintf("volume %s: the driver %s may still have it: %v", m.Name, m.Driver, err))
	}
	if d != nil {
		return nil
	}
	return s.unmountUnused(m)
}

// unused answers an InUseError with the names of containers, or the ids of uses
// by others.
func (s *Store) unused(ctx context.Context, m *meta, users Users) error {
	if users != nil {
		by, err := users(m.Name)
		if err != nil {
			return err
		}
		if len(by) > 0 {
			return &InUseError{m.Name, by}
		}
	}
	live, err := s.sweepUses(ctx, m)
	if err == nil && len(live) > 0 {
		err = &InUseError{m.Name, live}
	}
	return err
}
