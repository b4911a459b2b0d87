package volumes

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Usage is what a volume takes on disk in the store.
type Usage struct {
	// Own is what would be given back if it were removed, its snapshots with it.
	Own int64
	// Shared is what layers take that other volumes are made of, too.
	Shared int64
}

// Usage answers what the volumes take, each by its name. What a volume has mounted
// from elsewhere, and what plugins keep, isn't in the store and counts nothing.
func (s *Store) Usage(ctx context.Context) (map[string]Usage, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	metas := map[string]*meta{}
	refs := map[string]int{}
	for _, name := range names {
		m, err := s.readMeta(name)
		if err != nil {
			continue // gone, or damaged, of which lists warn
		}
		metas[name] = m
		for id := range m.layers() {
			refs[id]++
		}
	}
	out := map[string]Usage{}
	for name, m := range metas {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if out[name], err = s.usageOf(m, refs); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// layers are all that a volume and its snapshots refer to.
func (m *meta) layers() map[string]bool {
	out := map[string]bool{}
	if m.Stack != nil {
		out[m.Stack.Top] = true
		for _, id := range m.Stack.Layers {
			out[id] = true
		}
	}
	for _, snap := range m.Snapshots {
		for _, id := range snap.Layers {
			out[id] = true
		}
	}
	return out
}

func (s *Store) usageOf(m *meta, refs map[string]int) (Usage, error) {
	var u Usage
	if m.Driver == Local && !s.hasOwnMount(m) {
		n, err := diskUsage(s.path(m.Name, dataDir))
		if err != nil {
			return u, err
		}
		u.Own += n
	}
	for id := range m.layers() {
		n, err := diskUsage(s.path(layersDir, id, treeDir))
		if err != nil {
			return u, err
		}
		if refs[id] > 1 {
			u.Shared += n
		} else {
			u.Own += n
		}
	}
	return u, nil
}

// diskUsage adds the blocks of all files below a directory, each file once. It
// enters no other mount. What isn't there takes nothing.
func diskUsage(dir string) (int64, error) {
	fd, err := openDir(dir)
	if err == unix.ENOENT {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer hostfs.Close(fd)
	var top unix.Statx_t
	if err := hostfs.Statx(fd, "", &top); err != nil {
		return 0, err
	}
	w := weigher{mount: top.Mnt_id, seen: map[inode]bool{}}
	err = w.below(fd)
	return w.bytes, err
}

type weigher struct {
	mount uint64
	bytes int64
	seen  map[inode]bool
}

func (w *weigher) below(dir int) error {
	return hostfs.ReadDir(dir, nil, func(name []byte, _ uint64, _ uint8) error {
		err := w.entry(dir, string(name))
		if err == unix.ENOENT { // removed meanwhile
			return nil
		}
		return err
	})
}

func (w *weigher) entry(dir int, name string) error {
	var st unix.Statx_t
	if err := hostfs.Statx(dir, name, &st); err != nil {
		return err
	}
	if st.Mnt_id != w.mount {
		return nil
	}
	id := inode{st.Dev_major, st.Dev_minor, st.Ino}
	if st.Nlink > 1 && w.seen[id] {
		return nil
	}
	w.bytes += int64(st.Blocks) * 512 // of st_blocks (stat(2))
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		if st.Nlink > 1 {
			w.seen[id] = true
		}
		return nil
	}
	fd, err := hostfs.Open(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.EACCES) {
		return nil // another user's, in a volume that root has filled: it can't be counted
	}
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	return w.below(fd)
}
