package union

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// findData finds the data of a file in upper that is a copy of metadata alone:
// by its redirect, or by its name in the lower directories of d.
func (u *Union) findData(d *dir, name, redirect string) (*lowerRef, error) {
	var names []string
	switch {
	case strings.HasPrefix(redirect, "/"):
		path, ok := parseLowerPath(redirect)
		if !ok {
			return nil, fmt.Errorf("metacopy %q: redirect %q leads nowhere: %w", name, redirect, unix.EIO)
		}
		names = path.names()
	case len(d.lowers) == 0:
		return nil, fmt.Errorf("metacopy %q in a directory without lower layers: %w", name, unix.EIO)
	case redirect != "" && whiteout.ValidName(redirect):
		names = append(d.lpath.names(), redirect)
	default:
		names = append(d.lpath.names(), name)
	}
	return u.findFile(0, names)
}

// findDataFrom answers where the data of a lower file is: in itself, unless
// the layer was once an upper and holds a copy of metadata alone.
func (u *Union) findDataFrom(ref *lowerRef) (*lowerRef, error) {
	if _, _, indexed := ref.dir.indexed(); indexed {
		return ref, nil // an index is of a tree without such copies
	}
	p, err := u.lowerPlace(ref)
	if err != nil {
		return nil, err
	}
	m, err := readFileMarks(p)
	p.release()
	if err != nil || !m.metacopy {
		return ref, err
	}
	layer := ref.dir.layer
	w, err := u.walk(layer, ref.dir.names())
	if err != nil {
		return nil, err
	}
	names := append(w.names[:len(w.names):len(w.names)], ref.name)
	if m.redirect != "" {
		names = applyRedirect(names, len(names)-1, m.redirect)
	}
	return u.findFile(layer.index+1, names)
}

// findFile finds the data of the regular file with the given path in the
// layers from start down.
func (u *Union) findFile(start int, names []string) (*lowerRef, error) {
	last := names[len(names)-1]
	dirs := names[:len(names)-1]
	for i := start; i < len(u.lowers); i++ {
		w, err := u.walk(u.lowers[i], dirs)
		if err != nil {
			return nil, err
		}
		if w.ref != nil {
			ref := &lowerRef{w.ref, last}
			var st unix.Statx_t
			err := u.statLower(ref, &st)
			if err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
				return u.findDataFrom(ref)
			}
			if err == nil || err != unix.ENOENT {
				break
			}
		}
		if w.stop {
			break
		}
		dirs = w.names
	}
	return nil, fmt.Errorf("metacopy: no lower layer holds the data at %q: %w", "/"+strings.Join(names, "/"), unix.EIO)
}

// names is the path of a directory from its layer's root.
func (r *dirRef) names() []string {
	var path *lowerPath
	var chain []string
	for ; r.parent != nil; r = r.parent {
		chain = append(chain, r.name)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		path = path.child(chain[i])
	}
	return path.names()
}

// dataOf finds where a file's data is read while it isn't in upper.
func (u *Union) dataOf(n *Inode) (*lowerRef, error) {
	n.mu.RLock()
	data, lower := n.data, n.lower
	n.mu.RUnlock()
	if data != nil {
		return data, nil
	}
	data, err := u.findDataFrom(lower)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.data = data
	n.mu.Unlock()
	return data, nil
}

// fillMetacopy brings the data of a file whose metadata is in upper already,
// as far as limit. The data lands in the upper file itself, unseen until the
// mark that says it isn't there goes away (ovl_copy_up_meta_inode_data). The
// caller holds n.copyMu.
func (u *Union) fillMetacopy(n *Inode, limit int64) error {
	data, err := u.dataOf(n)
	if err != nil {
		return err
	}
	src, err := u.openLowerFile(data)
	if err != nil {
		return err
	}
	defer hostfs.Close(src)
	dst, err := u.openUpperFile(n)
	if err != nil {
		return err
	}
	defer hostfs.Close(dst)
	if err := u.spend(dst, "", u.weight(src), func() error { return u.fill(dst, src, limit) }); err != nil {
		return err
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := u.unmark(dst, "", whiteout.Metacopy); err != nil {
		return err
	}
	_ = u.unmark(dst, "", whiteout.Redirect) // means nothing without the other
	n.state.Store(inUpper)
	n.data = nil
	u.files.drop(&n.file)
	return nil
}

// fill copies data below metadata that is already right and stays so: writing
// would lose times and capabilities.
func (u *Union) fill(dst, src int, limit int64) error {
	var st unix.Statx_t
	if err := hostfs.Statx(dst, "", &st); err != nil {
		return err
	}
	caps, capErr := hostfs.GetxattrAll(dst, "", xattrCapability)
	size := int64(st.Size)
	n := size
	if limit >= 0 {
		n = min(n, limit)
	}
	err := hostfs.CopyData(dst, src, n, true)
	if err == nil {
		err = hostfs.Ftruncate(dst, size)
	}
	if err == nil && u.syncs() && n > 0 {
		err = hostfs.Fdatasync(dst)
	}
	if err != nil {
		_ = hostfs.Ftruncate(dst, 0)
		_ = hostfs.Ftruncate(dst, size)
	}
	if capErr == nil {
		_ = hostfs.Setxattr(dst, "", xattrCapability, caps, 0)
	}
	_ = hostfs.Utimes(dst, "", hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime))
	return err
}

const xattrCapability = "security.capability"

// syncs tells whether what is written must reach the disk before it is
// published.
func (u *Union) syncs() bool { return !u.cfg.Volatile && !u.cfg.NoSync }
