package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// censusPatience is how long plugins, which are asked all at once, may take to say
// what they have.
const censusPatience = 3 * time.Second

// census is what one plugin says that it has.
type census struct {
	name, scope string
	driver      Driver
	infos       []Info
	err         error
}

// plugins are the names of the plugins that there are.
func (s *Store) plugins() []string {
	if s.o.Plugins == nil {
		return nil
	}
	return s.o.Plugins()
}

// askAll asks plugins what they have. Of those that don't answer there is a
// warning, but for those that this user may not ask, and those for other things.
func (s *Store) askAll(ctx context.Context, drivers []string) []*census {
	slices.Sort(drivers)
	drivers = slices.Compact(drivers)
	ctx, cancel := context.WithTimeoutCause(ctx, censusPatience, fmt.Errorf("it took longer than %s", censusPatience))
	defer cancel()
	out := make([]*census, len(drivers))
	var all sync.WaitGroup
	for i, name := range drivers {
		all.Go(func() { out[i] = s.ask(ctx, name) })
	}
	all.Wait()
	for _, a := range out {
		if a.err != nil && !errors.Is(a.err, fs.ErrPermission) && !errors.Is(a.err, ErrNoVolumes) {
			s.warn(fmt.Sprintf("volume driver %s: %v", a.name, a.err))
		}
	}
	return out
}

func (s *Store) ask(ctx context.Context, name string) *census {
	a := &census{name: name}
	if a.driver, a.err = s.driver(ctx, name); a.err == nil {
		a.scope, a.err = a.driver.Scope(ctx)
	}
	if a.err == nil {
		a.infos, a.err = a.driver.List(ctx)
	}
	return a
}

// volume is one that the store doesn't know.
func (a *census) volume(info Info) Volume {
	return Volume{
		Name: info.Name, Driver: a.name, Scope: a.scope,
		Mountpoint: info.Mountpoint, CreatedAt: info.CreatedAt, Status: info.Status,
	}
}

// complete adds to a volume of the store what its plugin says.
func (a *census) complete(ctx context.Context, v *Volume) error {
	if a.err != nil {
		return nil // which was said
	}
	v.Scope = a.scope
	for _, info := range a.infos {
		if info.Name == v.Name {
			v.Mountpoint, v.Status = info.Mountpoint, info.Status
			return nil
		}
	}
	// There are plugins that list nothing.
	ctx, cancel := context.WithTimeout(ctx, censusPatience)
	defer cancel()
	info, err := a.driver.Get(ctx, v.Name)
	if IsNotFound(err) {
		v.Status = missing(a.name)
		return nil
	}
	v.Mountpoint, v.Status = info.Mountpoint, info.Status
	return err
}

// missing is the status of a volume that its plugin has lost.
func missing(driver string) map[string]any {
	return map[string]any{"Missing": fmt.Sprintf("the driver %s doesn't have it any more", driver)}
}

// Look is Get, also of a volume that a plugin has and the store doesn't know.
func (s *Store) Look(ctx context.Context, name string) (Volume, error) {
	v, err := s.Get(ctx, name)
	if !IsNotFound(err) || CheckName(name) != nil {
		return v, err
	}
	if v, ok := s.elsewhere(ctx, name); ok {
		return v, nil
	}
	return v, err
}

// Adopt makes a volume that a plugin has, made by others, one of the store's. One
// that the store knows is fine.
func (s *Store) Adopt(ctx context.Context, name string) (Volume, error) {
	v, err := s.Get(ctx, name)
	if !IsNotFound(err) || CheckName(name) != nil {
		return v, err
	}
	found, ok := s.elsewhere(ctx, name)
	if !ok {
		return v, err
	}
	return s.Create(ctx, Request{Name: name, Driver: found.Driver})
}

// elsewhere finds a volume among those of plugins, in the order of their names.
func (s *Store) elsewhere(ctx context.Context, name string) (Volume, bool) {
	for _, a := range s.askAll(ctx, s.plugins()) {
		for _, info := range a.infos {
			if info.Name == name {
				return a.volume(info), true
			}
		}
	}
	return Volume{}, false
}
