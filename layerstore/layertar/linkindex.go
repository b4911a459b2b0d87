package layertar

import (
	"context"
	"encoding/hex"
	"fmt"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// linkIndex is fs/union's index of copied-up hard links (index.go there): for
// each lower file with several names that was copied up, work holds the copy
// under the lower file's identity. All the lower names show the copy, also
// those that have nothing in upper.
type linkIndex struct {
	work   *layer
	copies map[identity]string // to the name in the index
	kernel map[string]string   // handle in hex, to the name in the kernel's
	links  []func() ([][]string, error)
}

// The kernel's index (index=on; fs/overlayfs/export.c and namei.c,
// ovl_get_index_name) names a copy by the file handle of its origin: after
// version, magic, length, flags, type and the UUID of the file system come the
// bytes that name_to_handle_at(2) gives, all in hex.
const (
	kernelIndexDir    = "index"
	kernelIndexHeader = 2 * (5 + 16)
)

// identity is an inode on the host.
type identity struct{ fsid, ino uint64 }

// indexDir is where the index is in work.
const indexDir = "unionfs/links"

func readIndex(src Source) (*linkIndex, error) {
	x := &linkIndex{copies: map[identity]string{}, kernel: map[string]string{}, links: src.LowerLinks}
	if src.Work < 0 {
		return x, nil
	}
	x.work = newLayer(-1, src.Work)
	err := hostfs.ListDir(src.Work, indexDir, func(name []byte, _ uint64, _ uint8) error {
		var id identity
		if n, err := fmt.Sscanf(string(name), "%16x-%x", &id.fsid, &id.ino); n == 2 && err == nil {
			x.copies[id] = string(name)
		}
		return nil
	})
	if err != nil && err != unix.ENOENT {
		return x, err
	}
	err = hostfs.ListDir(src.Work, kernelIndexDir, func(name []byte, _ uint64, dtype uint8) error {
		if len(name) > kernelIndexHeader && dtype != unix.DT_DIR {
			x.kernel[string(name[kernelIndexHeader:])] = string(name)
		}
		return nil
	})
	if err == unix.ENOENT {
		err = nil
	}
	return x, err
}

func (x *linkIndex) empty() bool { return len(x.copies)+len(x.kernel) == 0 }

// copyOf answers the copy of a lower file, if there is one. dirfd is the
// directory of p.
func (x *linkIndex) copyOf(p place, dirfd int, ino uint64) (place, bool) {
	if name, ok := x.copies[identity{p.layer.fsid, ino}]; ok {
		return place{x.work, indexDir, name}, true
	}
	if len(x.kernel) == 0 {
		return place{}, false
	}
	handle, _, err := unix.NameToHandleAt(dirfd, p.name, 0)
	if err != nil {
		return place{}, false // such a file system can't have been indexed
	}
	name, ok := x.kernel[hex.EncodeToString(handle.Bytes())]
	return place{x.work, kernelIndexDir, name}, ok
}

// coveredLinks adds the names that show a copy without having anything in
// upper, and those of files that have another name in a renamed directory.
func (c *collector) coveredLinks() error {
	if c.index.empty() && len(c.moved) == 0 {
		return nil
	}
	seen := map[string]bool{}
	for _, it := range c.items {
		if it.mark == noMark {
			seen[it.path] = true
		}
	}
	for i, l := range c.s.lowers {
		groups, err := c.groupsOf(i)
		if err != nil {
			return fmt.Errorf("the hard links of layer %d: %w", i+1, err)
		}
		for _, group := range groups {
			if err := c.coverGroup(l, group, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// groupsOf lists the hard-linked names of a lower.
func (c *collector) groupsOf(i int) ([][]string, error) {
	if i < len(c.index.links) && c.index.links[i] != nil {
		return c.index.links[i]()
	}
	return c.scanLinks(c.s.lowers[i])
}

// coverGroup adds the names of one lower file that are missing.
func (c *collector) coverGroup(l *layer, group []string, seen map[string]bool) error {
	for _, path := range group {
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		var st unix.Statx_t
		dir, name := splitPath(path)
		p := place{l, dir, name}
		switch err := c.s.stat(p, &st); err {
		case nil:
		case unix.ENOENT, unix.ENOTDIR, unix.ELOOP:
			continue // what a layer's list says may be changed by hand
		default:
			return c.about(path, err)
		}
		_, copied, err := c.copyOf(p, &st)
		if err != nil {
			return c.about(path, err)
		}
		if !copied && !c.moved[lowerInode{l, inodeOf(&st)}] {
			return nil // the other names are the same file
		}
		if seen[path] {
			continue
		}
		f, err := c.s.lookup(path)
		if err != nil {
			return c.about(path, err)
		}
		if f == nil || f.isDir() || f.place() != p {
			continue // hidden, or another file
		}
		if err := c.addParents(path, seen); err != nil {
			return err
		}
		seen[path] = true
		if err := c.addFile(path, f.place(), dir); err != nil {
			return err
		}
	}
	return nil
}

// addParents adds the directories above a path that aren't there yet: without
// them an unpacker would make some of its own.
func (c *collector) addParents(path string, seen map[string]bool) error {
	for dir, _ := splitPath(path); dir != "" && !seen[dir]; dir, _ = splitPath(dir) {
		f, err := c.s.lookup(dir)
		if err != nil {
			return c.about(dir, err)
		}
		if f == nil {
			return nil
		}
		seen[dir] = true
		c.items = append(c.items, item{path: dir, src: f.place()})
	}
	return nil
}

// scanLinks finds the hard-linked names of a layer that has no list of them.
func (c *collector) scanLinks(l *layer) ([][]string, error) {
	byIno := map[inode][]string{}
	todo := []string{""}
	for len(todo) > 0 {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if c.ctx.Err() != nil {
			return nil, context.Cause(c.ctx)
		}
		list, err := c.s.list(dirRef{l, dir})
		if err != nil {
			return nil, err
		}
		for _, e := range list.plain {
			path := joinPath(dir, e.name)
			if e.mode == unix.S_IFDIR {
				todo = append(todo, path)
				continue
			}
			var st unix.Statx_t
			if err := c.s.stat(place{l, dir, e.name}, &st); err != nil {
				return nil, err
			}
			if st.Nlink > 1 {
				k := inode{st.Dev_major, st.Dev_minor, st.Ino}
				byIno[k] = append(byIno[k], path)
			}
		}
	}
	var out [][]string
	for _, names := range byIno {
		out = append(out, names)
	}
	return out, nil
}
