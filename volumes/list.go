package volumes

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// List tells of all volumes of the store, in the order of their names. What a
// plugin doesn't answer in time is left out of its volumes, with a warning.
func (s *Store) List(ctx context.Context) ([]Volume, error) {
	all, _, err := s.list(ctx, nil)
	return all, err
}

// ListAll is List, and what plugins have that the store doesn't know: others have
// made it.
func (s *Store) ListAll(ctx context.Context) ([]Volume, error) {
	all, asked, err := s.list(ctx, s.plugins())
	if err != nil {
		return nil, err
	}
	for _, a := range asked {
		for _, info := range a.infos {
			if !slices.ContainsFunc(all, func(v Volume) bool { return v.Name == info.Name }) {
				all = append(all, a.volume(info))
			}
		}
	}
	slices.SortFunc(all, func(a, b Volume) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func (s *Store) list(ctx context.Context, drivers []string) ([]Volume, []*census, error) {
	names, err := s.names()
	if err != nil {
		return nil, nil, err
	}
	var metas []*meta
	for _, name := range names {
		m, err := s.readMeta(name)
		if IsNotFound(err) {
			continue
		}
		if err != nil { // the others can be used
			s.warn(fmt.Sprintf("volume %q is left out: %v", name, err))
			continue
		}
		metas = append(metas, m)
		if m.Driver != Local {
			drivers = append(drivers, m.Driver)
		}
	}
	asked := s.askAll(ctx, drivers)
	var out []Volume
	for _, m := range metas {
		v, err := s.ours(m)
		if err != nil {
			return nil, nil, err
		}
		for _, a := range asked {
			if a.name != m.Driver {
				continue
			}
			if err := a.complete(ctx, &v); err != nil {
				s.warn(fmt.Sprintf("volume driver %s: %v", a.name, err))
				a.err = err // it isn't asked again
			}
		}
		out = append(out, v)
	}
	return out, asked, nil
}

// tell is all that is known of a volume.
func (s *Store) tell(ctx context.Context, m *meta) (Volume, error) {
	v, err := s.ours(m)
	if err != nil || m.Driver == Local {
		return v, err
	}
	d, err := s.driver(ctx, m.Driver)
	if err != nil {
		return v, fmt.Errorf("volume driver %s: %w", m.Driver, err)
	}
	if v.Scope, err = d.Scope(ctx); err != nil {
		return v, fmt.Errorf("volume driver %s: %w", m.Driver, err)
	}
	info, err := d.Get(ctx, m.Name)
	if IsNotFound(err) {
		v.Status = missing(m.Driver)
		return v, nil
	}
	if err != nil {
		return v, fmt.Errorf("volume driver %s: %w", m.Driver, err)
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
