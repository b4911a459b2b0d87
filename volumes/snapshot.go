package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Snapshot is what a volume was at some moment: frozen layers, the highest first.
type Snapshot struct {
	Name      string
	CreatedAt time.Time
	Layers    []string
	// Copied says that its data was copied; blocks are shared where the file
	// system can.
	Copied bool `json:",omitempty"`
}

// SnapshotOptions say how a snapshot is made.
type SnapshotOptions struct {
	// Name is what it is called; the time when empty.
	Name string
	// Copy makes a copy where layers would do, so that a plain volume stays a
	// plain directory.
	Copy bool
	// Still is called around the copying of a volume that is in use, to have its
	// users stand still; start lets them go on. nil lets them write meanwhile.
	Still Still
}

// move is what is to become of the data of a plain volume that has got layers.
type move struct {
	// Freeze is the layer whose tree the data becomes.
	Freeze string `json:"freeze,omitempty"`
	// Drop removes it.
	Drop bool `json:"drop,omitempty"`
}

// Snapshot freezes what a volume has now.
func (s *Store) Snapshot(ctx context.Context, volume string, o SnapshotOptions) (Snapshot, error) {
	var snap Snapshot
	if o.Name == "" {
		o.Name = time.Now().UTC().Format("20060102T150405.000Z")
	}
	if err := CheckName(o.Name); err != nil {
		return snap, err
	}
	st, err := s.newStage()
	if err != nil {
		return snap, err
	}
	defer st.close()
	err = s.withVolume(volume, func(m *meta) error {
		if m.snapshot(o.Name) != nil {
			return fmt.Errorf("volume %q has a snapshot %q already: choose another name", volume, o.Name)
		}
		snap, err = s.freeze(ctx, st, m, &o)
		return err
	})
	return snap, err
}

func (m *meta) snapshot(name string) *Snapshot {
	i := slices.IndexFunc(m.Snapshots, func(n Snapshot) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return &m.Snapshots[i]
}

// freeze makes a snapshot in the way that costs least: by copying where the file
// system shares blocks; else, when nobody uses the volume, by putting a new top
// on what it has; else by copying.
func (s *Store) freeze(ctx context.Context, st *stage, m *meta, o *SnapshotOptions) (Snapshot, error) {
	snap := Snapshot{Name: o.Name, CreatedAt: time.Now().UTC()}
	if err := mayFreeze(s, m); err != nil {
		return snap, err
	}
	live, err := s.sweepUses(ctx, m)
	if err != nil {
		return snap, err
	}
	if s.mayPutTop(m, st, o, live) {
		return snap, s.putTop(ctx, st, m, &snap)
	}
	return snap, s.copyTop(ctx, st, m, o, live, &snap)
}

// mayPutTop tells whether a new top is the better way. A volume in layers gets
// one whenever nobody uses it.
func (s *Store) mayPutTop(m *meta, st *stage, o *SnapshotOptions, live []string) bool {
	if len(live) > 0 || s.o.Unions == nil {
		return false
	}
	return m.Stack != nil || !o.Copy && !st.sharesBlocks()
}

// putTop makes what a volume has a frozen layer, with a new top above, and notes
// the snapshot, if it is one.
func (s *Store) putTop(ctx context.Context, st *stage, m *meta, snap *Snapshot) error {
	if err := s.quiet(ctx, m); err != nil {
		return err
	}
	top, err := st.stageTop(s.fillTarget(m))
	if err != nil {
		return err
	}
	frozen := newLayerID()
	plain := m.Stack == nil
	if plain {
		if err := os.MkdirAll(st.path(frozen, workDir), 0o755); err != nil {
			return err
		}
		m.Stack, m.Move = &stack{}, move{Freeze: frozen}
	} else {
		frozen = m.Stack.Top
	}
	layers := append([]string{frozen}, m.Stack.Layers...)
	m.Stack, m.Filled = &stack{Top: top, Layers: layers}, true
	if snap != nil {
		snap.Layers = layers
		m.Snapshots = append(m.Snapshots, *snap)
	}
	err = s.locked(func() error {
		if plain {
			if err := st.publishLayer(frozen); err != nil {
				return err
			}
		}
		if err := st.publishLayer(top); err != nil {
			return err
		}
		return s.writeMeta(m)
	})
	if err != nil {
		return err
	}
	return s.settleMove(m)
}

// settleMove does what Move says. It may have been begun before.
func (s *Store) settleMove(m *meta) error {
	if m.Move == (move{}) {
		return nil
	}
	data := s.path(m.Name, dataDir)
	if m.Move.Freeze != "" {
		tree := s.layerTree(m.Move.Freeze)
		if _, err := os.Lstat(tree); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(data, tree); err != nil {
				return err
			}
		}
	}
	if m.Move.Drop {
		if err := s.discard(data); err != nil {
			return err
		}
	}
	if err := os.Mkdir(data, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// It must not be forgotten before it has reached the disk.
	if m.Move.Freeze != "" {
		if err := syncDir(s.path(layersDir, m.Move.Freeze)); err != nil {
			return err
		}
	}
	if err := syncDir(s.path(m.Name)); err != nil {
		return err
	}
	m.Move = move{}
	return s.writeMeta(m)
}

// discard makes a directory vanish at once, and then removes it.
func (s *Store) discard(dir string) error {
	st, err := s.newStage()
	if err != nil {
		return err
	}
	defer st.close()
	err = os.Rename(dir, st.path("dead"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// copyTop makes a snapshot of a copy of what was written to the volume.
func (s *Store) copyTop(ctx context.Context, st *stage, m *meta, o *SnapshotOptions, live []string, snap *Snapshot) error {
	start, err := stillFor(o.Still, live)()
	if err != nil {
		return err
	}
	id, err := s.copyStill(ctx, st, m)
	start()
	if err != nil {
		return err
	}
	snap.Layers, snap.Copied = []string{id}, true
	if m.Stack != nil {
		snap.Layers = append(snap.Layers, m.Stack.Layers...)
	}
	m.Snapshots = append(m.Snapshots, *snap)
	return s.locked(func() error {
		if err := st.publishLayer(id); err != nil {
			return err
		}
		return s.writeMeta(m)
	})
}

// copyStill copies a volume's top while nobody writes.
func (s *Store) copyStill(ctx context.Context, st *stage, m *meta) (id string, err error) {
	if m.Stack != nil {
		if err := s.bringHome(m); err != nil {
			return "", err
		}
	}
	id = newLayerID()
	for _, dir := range []string{treeDir, workDir} {
		if err := os.MkdirAll(st.path(id, dir), 0o755); err != nil {
			return "", err
		}
	}
	return id, copyTree(ctx, s.fillTarget(m), st.path(id, treeDir), m.Stack != nil)
}

// RemoveSnapshot forgets a snapshot. Volumes that were made of it keep what they
// need.
func (s *Store) RemoveSnapshot(ctx context.Context, volume, name string) error {
	err := s.withVolume(volume, func(m *meta) error {
		if m.snapshot(name) == nil {
			return noSnapshot(volume, name)
		}
		m.Snapshots = slices.DeleteFunc(m.Snapshots, func(n Snapshot) bool { return n.Name == name })
		return s.writeMeta(m)
	})
	if err != nil {
		return err
	}
	return s.collectLayers(ctx)
}

func noSnapshot(volume, name string) error {
	return fmt.Errorf("volume %q has no snapshot %q: unionfs volume snapshot --list %s lists them", volume, name, volume)
}
