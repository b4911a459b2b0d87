package volumes

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// Restore makes a volume what it was in a snapshot. What was written since is
// gone, unless another snapshot has it. Nobody may use it.
func (s *Store) Restore(ctx context.Context, volume, name string) error {
	st, err := s.newStage()
	if err != nil {
		return err
	}
	defer st.close()
	err = s.withVolume(volume, func(m *meta) error {
		snap := m.snapshot(name)
		if snap == nil {
			return noSnapshot(volume, name)
		}
		if err := s.unused(ctx, m, nil); err != nil {
			return err
		}
		plain := m.Stack == nil && snap.Copied && len(snap.Layers) == 1
		if plain && (st.sharesBlocks() || s.o.Unions == nil) {
			done, err := s.restoreDirectory(ctx, st, m, snap)
			if done || err != nil {
				return err
			}
		}
		return s.restoreLayers(ctx, st, m, snap)
	})
	if err != nil {
		return err
	}
	return s.collectLayers(ctx)
}

// restoreDirectory puts a copy of the snapshot in the place of the data. done is
// false on file systems that can't exchange two directories at once.
func (s *Store) restoreDirectory(ctx context.Context, st *stage, m *meta, snap *Snapshot) (done bool, err error) {
	if err := os.Mkdir(st.path("data"), 0o755); err != nil {
		return false, err
	}
	if err := copyTree(ctx, s.layerTree(snap.Layers[0]), st.path("data"), false); err != nil {
		return false, err
	}
	data := s.path(m.Name, dataDir)
	err = unix.Renameat2(unix.AT_FDCWD, st.path("data"), unix.AT_FDCWD, data, unix.RENAME_EXCHANGE)
	if (err == unix.EINVAL || err == unix.ENOSYS) && s.o.Unions != nil {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "exchange the data", Path: data, Err: err}
	}
	if err := syncDir(s.path(m.Name)); err != nil {
		return true, err
	}
	return true, s.setFilled(m)
}

// restoreLayers puts a new top on the snapshot's layers.
func (s *Store) restoreLayers(ctx context.Context, st *stage, m *meta, snap *Snapshot) error {
	if s.o.Unions == nil {
		return errNoUnions
	}
	if err := s.quiet(ctx, m); err != nil {
		return err
	}
	like, err := s.rootOf(ctx, snap.Layers)
	if err != nil {
		return err
	}
	top, err := st.stageTop(like)
	if err != nil {
		return err
	}
	if m.Stack == nil {
		m.Move = move{Drop: true}
	}
	m.Stack, m.Filled = &stack{Top: top, Layers: snap.Layers}, true
	err = s.locked(func() error {
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
