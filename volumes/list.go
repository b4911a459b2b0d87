package volumes

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// names lists the volumes' names in order.
func (s *Store) names() ([]string, error) {
	all, err := namesIn(s.dir)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(all, func(name string) bool { return !isName(name) })
	slices.Sort(names)
	return names, nil
}

// Get tells of one volume.
func (s *Store) Get(ctx context.Context, name string) (Volume, error) {
	m, err := s.readMeta(name)
	if err != nil {
		return Volume{}, err
	}
	return s.tell(ctx, m)
}

// List tells of all volumes, in the order of their names. What a plugin doesn't
// answer is left out of its volumes, with a warning.
func (s *Store) List(ctx context.Context) ([]Volume, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	var out []Volume
	silent := map[string]error{}
	for _, name := range names {
		m, err := s.readMeta(name)
		if IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if silent[m.Driver] != nil {
			v, err := s.ours(m)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
			continue
		}
		v, err := s.tell(ctx, m)
		var asked *askError
		if errors.As(err, &asked) {
			silent[m.Driver] = asked.err
			s.warn(err.Error())
			v, err = s.ours(m)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// askError says that a plugin doesn't answer for a volume.
type askError struct {
	driver string
	err    error
}

func (e *askError) Error() string { return fmt.Sprintf("volume driver %s: %v", e.driver, e.err) }

func (e *askError) Unwrap() error { return e.err }

// tell is all that is known of a volume.
func (s *Store) tell(ctx context.Context, m *meta) (Volume, error) {
	v, err := s.ours(m)
	if err != nil || m.Driver == Local {
		return v, err
	}
	d, err := s.driver(ctx, m.Driver)
	if err != nil {
		return v, &askError{m.Driver, err}
	}
	if v.Scope, err = d.Scope(ctx); err != nil {
		return v, &askError{m.Driver, err}
	}
	info, err := d.Get(ctx, m.Name)
	if IsNotFound(err) {
		v.Status = map[string]any{"Missing": fmt.Sprintf("the driver %s doesn't have it any more", m.Driver)}
		return v, nil
	}
	if err != nil {
		return v, &askError{m.Driver, err}
	}
	v.Mountpoint, v.Status = info.Mountpoint, info.Status
	return v, nil
}

// ours is what we know without asking the driver.
func (s *Store) ours(m *meta) (Volume, error) {
	v := Volume{
		Name: m.Name, Driver: m.Driver, Scope: "local", CreatedAt: m.CreatedAt,
		Labels: m.Labels, Options: m.Options, Anonymous: m.Anonymous, Snapshots: m.Snapshots,
	}
	if m.Driver == Local {
		v.Mountpoint = s.path(m.Name, dataDir)
	}
	uses, err := s.findUses(m.Name)
	for _, u := range uses {
		if u.alive {
			v.Uses = append(v.Uses, u.ID)
		} else {
			v.Leaked = append(v.Leaked, u.ID)
		}
	}
	return v, err
}
