package layerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Removed is what a removal brought.
type Removed struct {
	Untagged []string // names that are gone
	Images   []ImageID
	Layers   []DiffID
	Blobs    []Digest
	Bytes    int64 // given back to the file system, as far as known
}

// InUseError says why an image stays.
type InUseError struct {
	Image ImageID
	By    string
}

func (e *InUseError) Error() string {
	return "image " + e.Image.Short() + " is in use by " + e.By + ": remove that first, or use --force"
}

// ManyNamesError says that more than the caller named would go.
type ManyNamesError struct {
	Image ImageID
	Names []string
}

func (e *ManyNamesError) Error() string {
	return fmt.Sprintf("image %s has %d names (%s, …): remove them by name, or all with --force", e.Image.Short(), len(e.Names), Familiar(e.Names[0]))
}

// RemoveImage takes a name away, and with the last name the image. Asked for by
// its id, an image goes with all its names. Layers and blobs that nobody needs
// any more go along. force removes by id what has several names, and what
// snapshots were made from.
func (s *Store) RemoveImage(what string, force bool) (Removed, error) {
	var out Removed
	err := s.locked(func() error {
		f, err := s.Find(what)
		if err != nil {
			return err
		}
		gone := f.Names
		switch {
		case len(f.Names) < 2:
		case f.Name != "":
			gone = []string{f.Name}
		case !force:
			return &ManyNamesError{f.ID, f.Names}
		}
		out.Untagged = gone
		whole := len(gone) == len(f.Names)
		if whole && !force {
			if err := s.unused(f.ID); err != nil {
				return err
			}
		}
		if err := s.forget(gone); err != nil || !whole {
			return err
		}
		out.Images = []ImageID{f.ID}
		return os.Remove(s.path("images", f.ID.Hex()+".json"))
	})
	if err != nil {
		return Removed{}, err
	}
	return out, s.collect(&out)
}

func (s *Store) forget(gone []string) error {
	if len(gone) == 0 {
		return nil
	}
	return s.changeNames(func(names map[string]named) error {
		for _, name := range gone {
			delete(names, name)
		}
		return nil
	})
}

// unused answers an InUseError when a snapshot was made from the image.
func (s *Store) unused(id ImageID) error {
	all, err := s.Snapshots()
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Image == id {
			by := "snapshot " + n.ID
			if n.Name != "" {
				by += " (" + n.Name + ")"
			}
			return &InUseError{id, by}
		}
	}
	return nil
}

// PruneImages removes images without a name, or with all those that no
// snapshot was made from, and then whatever nobody needs. chosen, unless it is nil,
// says which of those may go; it is called with the store locked.
func (s *Store) PruneImages(all bool, chosen func(Image) bool) (Removed, error) {
	var out Removed
	err := s.locked(func() error {
		images, err := s.Images()
		if err != nil {
			return err
		}
		for _, img := range images {
			if len(img.Names) > 0 && !all || s.unused(img.ID) != nil || chosen != nil && !chosen(img) {
				continue
			}
			if err := s.forget(img.Names); err != nil {
				return err
			}
			if err := os.Remove(s.path("images", img.ID.Hex()+".json")); err != nil {
				return err
			}
			out.Untagged = append(out.Untagged, img.Names...)
			out.Images = append(out.Images, img.ID)
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	return out, s.collect(&out)
}

// roots is all that something needs.
type roots struct {
	blobs  map[Digest]bool
	layers map[DiffID]bool
}

// mark finds what images, snapshots and living stages need. The caller holds
// the store's lock.
func (s *Store) mark() (roots, error) {
	r := roots{map[Digest]bool{}, map[DiffID]bool{}}
	images, err := s.Images()
	if err != nil {
		return r, err
	}
	for _, img := range images {
		r.blobs[Digest(img.ID)] = true
		r.needLayers(img.Layers)
		for _, m := range img.Manifests {
			r.blobs[m.Digest] = true
			for _, l := range m.Layers {
				r.blobs[l.Blob] = true
			}
		}
	}
	snapshots, err := s.Snapshots()
	if err != nil {
		return r, err
	}
	for _, n := range snapshots {
		r.needLayers(n.Layers)
	}
	if err := s.markStages(&r); err != nil {
		return r, err
	}
	for id := range r.layers {
		if info, err := s.Layer(id); err == nil {
			r.blobs[info.Blob] = true // for repairs
		}
	}
	return r, nil
}

func (r *roots) needLayers(layers []DiffID) {
	for _, l := range layers {
		r.layers[l] = true
	}
}

func (s *Store) markStages(r *roots) error {
	ids, err := s.names("stages")
	if err != nil {
		return err
	}
	for _, id := range ids {
		var l lease
		if err := readJSON(s.path("stages", id, "lease.json"), &l); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return err
		}
		r.needLayers(l.Layers)
		for _, b := range l.Blobs {
			r.blobs[b] = true
		}
	}
	return nil
}

// collect takes away what nobody needs: names under the lock, bytes after it.
func (s *Store) collect(out *Removed) error {
	st, err := s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	return s.locked(func() error {
		r, err := s.mark()
		if err != nil {
			return err
		}
		if err := s.collectLayers(st, r, out); err != nil {
			return err
		}
		return s.collectBlobs(st, r, out)
	})
}

func (s *Store) collectLayers(st *Stage, r roots, out *Removed) error {
	ids, err := s.names("layers")
	if err != nil {
		return err
	}
	for _, hex := range ids {
		id := DiffID(digestPrefix + hex)
		if r.layers[id] {
			continue
		}
		info, _ := s.Layer(id)
		if err := os.Rename(s.path("layers", hex), st.file("dead")); err != nil {
			return err
		}
		out.Layers, out.Bytes = append(out.Layers, id), out.Bytes+info.Size
	}
	return nil
}

func (s *Store) collectBlobs(st *Stage, r roots, out *Removed) error {
	ids, err := s.names("blobs/sha256")
	if err != nil {
		return err
	}
	for _, hex := range ids {
		d := Digest(digestPrefix + hex)
		if r.blobs[d] {
			continue
		}
		fi, err := os.Lstat(s.BlobPath(d))
		if err != nil {
			return err
		}
		if err := os.Rename(s.BlobPath(d), st.file("dead")); err != nil {
			return err
		}
		out.Blobs, out.Bytes = append(out.Blobs, d), out.Bytes+fi.Size()
	}
	return s.collectPartials(r, out)
}

// collectPartials removes what of a blob came before somebody gave up, unless
// somebody is at it or wants it.
func (s *Store) collectPartials(r roots, out *Removed) error {
	ids, err := s.names("partial")
	if err != nil {
		return err
	}
	for _, hex := range ids {
		if r.blobs[Digest(digestPrefix+hex)] {
			continue
		}
		l, err := tryLockFile(s.path("partial", hex))
		if err != nil {
			continue
		}
		if fi, err := l.f.Stat(); err == nil {
			out.Bytes += fi.Size()
		}
		err = os.Remove(s.path("partial", hex))
		l.release()
		if err != nil {
			return err
		}
	}
	return nil
}
