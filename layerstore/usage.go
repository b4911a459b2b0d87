package layerstore

import "os"

// Usage is what the store's parts weigh, in bytes.
type Usage struct {
	Images    Part // all images' layers and blobs, each counted once
	Snapshots Part // what is in uppers
	Partial   Part // blobs on their way in, or given up
	// Shared is what images would weigh more if each had layers of its own.
	Shared int64
}

// Part is one row of system df.
type Part struct {
	Count, Active int
	Size          int64
	// Reclaimable is what a prune with everything would give back.
	Reclaimable int64
}

// Usage adds up the store. weigh measures a snapshot, and tells whether it is
// mounted, since drivers keep them in their own ways.
func (s *Store) Usage(weigh func(n Snapshot) (size int64, mounted bool, err error)) (Usage, error) {
	var u Usage
	images, err := s.Images()
	if err != nil {
		return u, err
	}
	snapshots, err := s.SoundSnapshots()
	if err != nil {
		return u, err
	}
	busy := map[DiffID]bool{}
	active := map[ImageID]bool{}
	for _, n := range snapshots {
		size, mounted, err := weigh(n)
		if err != nil {
			return u, err
		}
		u.Snapshots.Count++
		u.Snapshots.Size += size
		if mounted {
			u.Snapshots.Active++
		} else {
			u.Snapshots.Reclaimable += size
		}
		active[n.Image] = true
		for _, l := range n.Layers {
			busy[l] = true
		}
	}
	for _, img := range images {
		u.Images.Count++
		if active[img.ID] {
			u.Images.Active++
		}
	}
	if err := s.layerUsage(&u, images, busy); err != nil {
		return u, err
	}
	return u, s.partialUsage(&u)
}

func (s *Store) layerUsage(u *Usage, images []Image, busy map[DiffID]bool) error {
	layers, err := s.Layers()
	if err != nil {
		return err
	}
	sizes := map[DiffID]int64{}
	for _, l := range layers {
		weight := l.Size + l.Packed
		sizes[l.DiffID] = weight
		u.Images.Size += weight
		if !busy[l.DiffID] {
			u.Images.Reclaimable += weight
		}
	}
	seen := map[DiffID]bool{}
	for _, img := range images {
		for _, l := range img.Layers {
			if seen[l] {
				u.Shared += sizes[l]
			}
			seen[l] = true
		}
	}
	return nil
}

func (s *Store) partialUsage(u *Usage) error {
	names, err := s.names("partial")
	for _, name := range names {
		if fi, err := os.Lstat(s.path("partial", name)); err == nil {
			u.Partial.Count++
			u.Partial.Size += fi.Size()
			u.Partial.Reclaimable += fi.Size()
		}
	}
	return err
}
