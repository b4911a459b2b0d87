package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Layers are kept beside the volumes, each under an id of its own, because
// several volumes may be made of one. A layer is a tree that was or is the top of
// a volume, or an image that is held. Who publishes what refers to a layer, or
// makes one, holds the store's lock from the one to the other: a layer to which
// nothing refers is garbage.
const (
	layersDir = ".layers"
	treeDir   = "tree"
	workDir   = "work"
	imageFile = "image.json"
)

func (s *Store) layerTree(id string) string { return s.path(layersDir, id, treeDir) }

// heldImage is what stands in imageFile.
type heldImage struct {
	Image string `json:"image"`
}

// holdName is how an image is held for a layer.
func holdName(id string) string { return "volume-layer-" + id }

func newLayerID() string { return randomName()[:24] }

// stageTop makes an empty top in the stage, whose root looks like a directory.
func (st *stage) stageTop(like string) (id string, err error) {
	id = newLayerID()
	for _, dir := range []string{treeDir, workDir} {
		if err := os.MkdirAll(st.path(id, dir), 0o755); err != nil {
			return "", err
		}
	}
	if like == "" {
		return id, os.Chmod(st.path(id, treeDir), 0o755)
	}
	return id, copyLook(like, st.path(id, treeDir))
}

// stageImage makes a layer of an image in the stage.
func (st *stage) stageImage(ctx context.Context, image string) (id string, err error) {
	id = newLayerID()
	if err := os.Mkdir(st.path(id), dirMode); err != nil {
		return "", err
	}
	if err := writeJSON(st.path(id, imageFile), heldImage{image}); err != nil {
		return "", err
	}
	return id, st.s.o.Unions.Hold(ctx, image, holdName(id))
}

// publishLayer gives a staged layer its place. The caller has the store locked
// until something that refers to the layer is published.
func (st *stage) publishLayer(id string) error {
	dir := st.s.path(layersDir)
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Rename(st.path(id), filepath.Join(dir, id)); err != nil {
		return err
	}
	return syncDir(dir)
}

// isImage tells whether a layer is an image.
func (s *Store) isImage(id string) (bool, error) {
	_, err := os.Lstat(s.path(layersDir, id, imageFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// lowers are the directories of frozen layers, the highest first.
func (s *Store) lowers(ctx context.Context, ids []string) (dirs []string, image bool, err error) {
	for _, id := range ids {
		isImage, err := s.isImage(id)
		if err != nil {
			return nil, false, err
		}
		if !isImage {
			dirs = append(dirs, s.layerTree(id))
			continue
		}
		held, err := s.o.Unions.Held(ctx, holdName(id))
		if err != nil {
			return nil, false, err
		}
		dirs, image = append(dirs, held...), true
	}
	return dirs, image, nil
}

// collectLayers removes the layers to which nothing refers.
func (s *Store) collectLayers(ctx context.Context) error {
	if _, err := os.Lstat(s.path(layersDir)); err != nil {
		return nil // there never was one
	}
	st, err := s.newStage()
	if err != nil {
		return err
	}
	defer st.close()
	var images []string
	err = s.locked(func() error {
		used, err := s.layersInUse()
		if err != nil {
			return err
		}
		ids, err := namesIn(s.path(layersDir))
		if err != nil {
			return err
		}
		for _, id := range ids {
			if used[id] {
				continue
			}
			isImage, err := s.isImage(id)
			if err != nil {
				return err
			}
			if isImage {
				images = append(images, id)
			} else if err := os.Rename(s.path(layersDir, id), st.path(id)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.letGo(ctx, images)
}

// letGo ends the holding of images and then forgets them: after a crash between
// the two it is done again.
func (s *Store) letGo(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if s.o.Unions == nil {
			s.warn("an image that no volume needs stays held: unions can't be mounted here")
			return nil
		}
		if err := s.o.Unions.LetGo(ctx, holdName(id)); err != nil {
			return err
		}
		if err := removeAll(s.path(layersDir, id)); err != nil {
			return err
		}
	}
	return nil
}

// layersInUse are the layers that volumes and their snapshots refer to.
func (s *Store) layersInUse() (map[string]bool, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, name := range names {
		m, err := s.readMeta(name)
		if IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("nothing is collected: %w", err)
		}
		for id := range m.layers() {
			used[id] = true
		}
	}
	return used, nil
}
