package layertar

import (
	"fmt"

	"golang.org/x/sys/unix"

	"unionfs/whiteout"
)

// addFile adds anything but a directory. lpath is the path by which the layers
// below know its directory.
func (c *collector) addFile(path string, p place, lpath string) error {
	var st unix.Statx_t
	if err := c.s.stat(p, &st); err != nil {
		return err
	}
	it := item{path: path, src: p}
	if st.Nlink > 1 {
		it.same = inodeOf(&st)
	}
	if p.layer.index >= 0 && st.Nlink > 1 {
		copied, ok, err := c.copyOf(p, &st)
		if err != nil {
			return err
		}
		if !ok {
			c.moved[lowerInode{p.layer, it.same}] = true
		} else if err := c.s.stat(copied, &st); err != nil {
			return err
		} else {
			it.src, it.same = copied, inodeOf(&st) // it may be the last name on the host
		}
	}
	switch kind, err := c.shownType(it.src, &st); {
	case err != nil:
		return err
	case kind == unix.S_IFSOCK && !c.merged:
		f, err := c.s.below().lookup(path)
		if err != nil {
			return err
		}
		it.covers = f != nil
	case kind == unix.S_IFREG && st.Size > 0:
		if it.data, err = c.dataOf(it.src, p, lpath); err != nil {
			return fmt.Errorf("/%s: %w", path, err)
		}
	}
	c.items = append(c.items, it)
	return nil
}

// shownType is the type that the union's users see: in a tree of one id plain
// files stand for others.
func (c *collector) shownType(p place, st *unix.Statx_t) (uint32, error) {
	if c.s.ids != SingleID || typeOf(st) != unix.S_IFREG {
		return typeOf(st), nil
	}
	fd, err := c.s.dirs.open(dirRef{p.layer, p.dir})
	if err != nil {
		return 0, err
	}
	o := object{mode: uint32(st.Mode)}
	err = o.readOverride(fd, p.name, whiteout.OverrideXattrs)
	return o.mode & unix.S_IFMT, err
}

// dataOf finds the data of a file that stands at src. What the index holds as a
// copy of metadata has its data in the lower file that it is a copy of.
func (c *collector) dataOf(src, lower place, lpath string) (place, error) {
	if src == lower {
		return c.s.dataOf(src, lpath)
	}
	fd, err := c.s.dirs.open(dirRef{src.layer, src.dir})
	if err != nil {
		return src, err
	}
	if _, isCopy, err := readMetacopy(src.layer.marks, fd, src.name); err != nil || !isCopy {
		return src, err
	}
	return c.s.dataOf(lower, lpath)
}

// copyOf answers the copy of a lower file that stands in the index.
func (c *collector) copyOf(p place, st *unix.Statx_t) (place, bool, error) {
	if c.index.empty() {
		return place{}, false, nil
	}
	fd, err := c.s.dirs.open(dirRef{p.layer, p.dir})
	if err != nil {
		return place{}, false, err
	}
	copied, ok := c.index.copyOf(p, fd, st.Ino)
	return copied, ok, nil
}
