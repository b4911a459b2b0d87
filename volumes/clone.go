package volumes

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"
)

// Still has the users of a volume stand still, and answers how to let them go on.
type Still func(uses []string) (start func(), err error)

// Clone makes a volume with what another one has now, or had in a snapshot (of
// the form NAME@SNAPSHOT). The name must not be taken.
func (s *Store) Clone(ctx context.Context, from string, r Request, still Still) (Volume, error) {
	if err := CheckName(r.Name); err != nil {
		return Volume{}, err
	}
	name, snap, _ := strings.Cut(from, "@")
	src, err := s.readMeta(name)
	if err != nil {
		return Volume{}, err
	}
	m := &meta{
		Name: r.Name, Driver: Local, CreatedAt: time.Now().UTC(), Labels: maps.Clone(r.Labels),
		Options: map[string]string{"from": from}, Quota: src.Quota,
	}
	if size := src.Options["size"]; size != "" {
		m.Options["size"] = size
	}
	st, err := s.stageVolume()
	if err != nil {
		return Volume{}, err
	}
	defer st.close()
	if err := s.createClone(ctx, st, m, name, snap, still); err != nil {
		return Volume{}, taken(err, r.Name)
	}
	return s.tell(ctx, m)
}

// createClone publishes a staged volume with what another one has.
func (s *Store) createClone(ctx context.Context, st *stage, m *meta, from, snap string, still Still) error {
	return s.withVolume(from, func(src *meta) error {
		if err := mayFreeze(s, src); err != nil {
			return err
		}
		if snap != "" {
			old := src.snapshot(snap)
			if old == nil {
				return noSnapshot(from, snap)
			}
			return s.cloneLayers(ctx, st, m, old.Layers, old.Copied && src.Stack == nil)
		}
		live, err := s.sweepUses(ctx, src)
		if err != nil {
			return err
		}
		switch {
		case s.mayPutTop(src, st, &SnapshotOptions{}, live):
			if err := s.putTop(ctx, st, src, nil); err != nil {
				return err
			}
			return s.cloneLayers(ctx, st, m, src.Stack.Layers, false)
		case src.Stack == nil && m.Quota == 0:
			return s.cloneDirectory(ctx, st, m, s.fillTarget(src), stillFor(still, live))
		}
		return s.cloneCopy(ctx, st, m, src, stillFor(still, live))
	})
}

// cloneLayers makes the clone over frozen layers; one that is a plain directory
// again where that costs nothing.
func (s *Store) cloneLayers(ctx context.Context, st *stage, m *meta, layers []string, plain bool) error {
	if plain && len(layers) == 1 && m.Quota == 0 && (st.sharesBlocks() || s.o.Unions == nil) {
		return s.cloneDirectory(ctx, st, m, s.layerTree(layers[0]), func() (func(), error) { return func() {}, nil })
	}
	like, err := s.rootOf(ctx, layers)
	if err != nil {
		return err
	}
	return s.createStack(st, m, layers, like)
}

// cloneDirectory makes the clone a copy of a plain directory.
func (s *Store) cloneDirectory(ctx context.Context, st *stage, m *meta, dir string, still func() (func(), error)) error {
	start, err := still()
	if err != nil {
		return err
	}
	err = copyTree(ctx, dir, st.path("volume", dataDir), false)
	start()
	if err != nil {
		return err
	}
	m.Filled = true
	return s.publish(st, m)
}

// cloneCopy makes the clone over a copy of what was written to its source.
func (s *Store) cloneCopy(ctx context.Context, st *stage, m, src *meta, still func() (func(), error)) error {
	start, err := still()
	if err != nil {
		return err
	}
	id, err := s.copyStill(ctx, st, src)
	start()
	if err != nil {
		return err
	}
	layers := []string{id}
	if src.Stack != nil {
		layers = append(layers, src.Stack.Layers...)
	}
	return s.createStack(st, m, layers, st.path(id, treeDir), id)
}

// rootOf is the directory that says what the root of frozen layers is like.
func (s *Store) rootOf(ctx context.Context, layers []string) (string, error) {
	isImage, err := s.isImage(layers[0])
	if err != nil || !isImage {
		return s.layerTree(layers[0]), err
	}
	if s.o.Unions == nil {
		return "", errNoUnions
	}
	return s.o.Unions.Root(ctx, holdName(layers[0]))
}

func stillFor(still Still, live []string) func() (func(), error) {
	return func() (func(), error) {
		if still == nil || len(live) == 0 {
			return func() {}, nil
		}
		return still(live)
	}
}

// mayFreeze tells of what no snapshot can be made.
func mayFreeze(s *Store, m *meta) error {
	if m.Driver != Local {
		return fmt.Errorf("volume %q is kept by the driver %s: snapshots and clones are made of our own", m.Name, m.Driver)
	}
	if m.Stack == nil && s.hasOwnMount(m) {
		return fmt.Errorf("volume %q is a mount with options of its own: snapshots and clones are made of volumes whose data is in the store", m.Name)
	}
	return nil
}
