package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"unionfs/fs"
	"unionfs/fs/union"
	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
	"unionfs/volumes"
)

// volumeUnions mounts the trees of volumes with our own union, and holds the
// images that volumes are made of.
type volumeUnions struct{ s *shop }

// volumeUnions is nil where no union can be mounted.
func (s *shop) volumeUnions() volumes.Unions {
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	_ = unix.Close(fd) // nothing was done with it
	return volumeUnions{s}
}

// config is the mount of a volume's tree.
func (u volumeUnions) config(t *volumes.Tree, target string) fs.Config {
	cfg := fs.Config{
		Target: target, FD: -1, Source: "unionfs-volume-" + t.Name, Log: warn,
		Union: union.Config{Lower: t.Lowers, Upper: t.Upper, Work: t.Work, Quota: t.Quota, Warn: warn},
	}
	if u.s.IDs() == layertar.SingleID {
		cfg.Union.XattrPermissions = 2
		if unix.Geteuid() == 0 {
			// As in the storage driver: others are nobody's here.
			root := uint32(0)
			cfg.Union.SquashUID, cfg.Union.SquashGID = &root, &root
		}
	}
	return cfg
}

// holdLabel marks snapshots that only hold an image.
const holdLabel = "unionfs.holds"

// Hold makes a snapshot of the image, which keeps its layers from being
// collected; nothing is ever written to it.
func (u volumeUnions) Hold(_ context.Context, image, name string) error {
	st, err := u.s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	img, err := u.s.Find(image)
	if err != nil {
		return err
	}
	if len(img.Layers) == 0 {
		return fmt.Errorf("image %s has no layers", image)
	}
	if err := st.Hold(nil, img.Layers); err != nil {
		return err
	}
	n := layerstore.Snapshot{
		Name: name, Layers: img.Layers, Image: img.ID, Driver: "union",
		Labels: map[string]string{holdLabel: "for a volume"},
	}
	_, err = st.NewSnapshot(n, func(n *layerstore.Snapshot) error {
		return errors.Join(os.Mkdir(n.Upper(), 0o755), os.Mkdir(n.Work(), 0o755))
	})
	var taken *layerstore.NameTakenError
	if errors.As(err, &taken) {
		return nil // by us, before
	}
	return err
}

func (u volumeUnions) Held(_ context.Context, name string) ([]string, error) {
	n, err := u.held(name)
	if err != nil {
		return nil, err
	}
	return u.s.LowerDirs(n.Layers), nil
}

func (u volumeUnions) Root(_ context.Context, name string) (string, error) {
	n, err := u.held(name)
	if err != nil {
		return "", err
	}
	return u.s.LayerDir(u.s.RootLayer(n.Layers)), nil
}

func (u volumeUnions) held(name string) (layerstore.Snapshot, error) {
	n, err := u.s.Snapshot(name)
	if err == nil && n.Name != name {
		err = errors.New("there is another one only")
	}
	if err != nil {
		return n, fmt.Errorf("the snapshot that holds the volume's image is gone: %w", err)
	}
	return n, nil
}

func (u volumeUnions) LetGo(_ context.Context, name string) error {
	all, err := u.s.SoundSnapshots()
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Name == name {
			return u.s.RemoveSnapshot(n.ID)
		}
	}
	return nil
}
