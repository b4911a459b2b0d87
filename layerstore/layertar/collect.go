package layertar

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// collector gathers what an archive shall hold, without its data.
type collector struct {
	ctx   context.Context
	s     *stack
	index *linkIndex
	items []item
	// merged says that all is gathered, and not the changes.
	merged bool
	// moved are the lower files of which the archive holds a name: it must
	// hold their other names too, or these would part from it.
	moved map[lowerInode]bool
}

type lowerInode struct {
	layer *layer
	inode
}

func newCollector(ctx context.Context, src Source) (*collector, error) {
	c := &collector{ctx: ctx, s: newStack(src), moved: map[lowerInode]bool{}}
	var err error
	c.index, err = readIndex(src)
	return c, err
}

// upperTree gathers the changes: what is in upper, and what shows through from
// below at another place or with other data because of what is in upper.
func (c *collector) upperTree() error {
	if c.s.upper == nil {
		return errors.New("there is no upper directory, and so there are no changes")
	}
	if err := c.upperDir(""); err != nil {
		return err
	}
	if err := c.coveredLinks(); err != nil {
		return err
	}
	c.sort()
	return nil
}

// mergedTree gathers all that the union shows.
func (c *collector) mergedTree() error {
	c.merged = true
	root, err := c.s.root()
	if err == nil {
		err = c.mergedDir("", root)
	}
	c.sort()
	return err
}

func (c *collector) sort() {
	slices.SortFunc(c.items, func(a, b item) int { return a.compare(&b) })
}

// upperDir gathers a directory of upper that merges with what is below it, or
// hides all of that.
func (c *collector) upperDir(top string) error {
	todo := []string{top}
	for len(todo) > 0 {
		path := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		below, err := c.upperDirFlat(path)
		if err != nil {
			return c.about(path, err)
		}
		todo = append(todo, below...)
	}
	return nil
}

// about says which path an error is about, once.
func (c *collector) about(path string, err error) error {
	if errno, ok := err.(unix.Errno); ok {
		return fmt.Errorf("/%s: %w", path, errno)
	}
	return err
}

// upperDirFlat gathers one directory and answers those in it.
func (c *collector) upperDirFlat(path string) (below []string, err error) {
	if err := c.ctx.Err(); err != nil {
		return nil, context.Cause(c.ctx)
	}
	ref := dirRef{c.s.upper, path}
	l, err := c.s.list(ref)
	if err != nil {
		return nil, err
	}
	if l.redirect != "" && path != "" && !l.opaque {
		return nil, c.movedDir(path)
	}
	c.items = append(c.items, item{path: path, src: ref.place()})
	if l.opaque {
		c.items = append(c.items, item{path: path, mark: opaqueMark})
	}
	names := map[string]uint32{}
	for _, e := range l.plain {
		names[e.name] = e.mode
	}
	for _, name := range l.hidden {
		// A file hides what is below by itself; a directory is closed below.
		if _, there := names[name]; !there {
			c.items = append(c.items, item{path: joinPath(path, name), mark: whiteoutMark})
		} else if names[name] == unix.S_IFDIR && !l.opaque {
			if err := c.closeDir(ref, name); err != nil {
				return nil, err
			}
		}
	}
	for _, e := range l.plain {
		child := joinPath(path, e.name)
		if e.mode == unix.S_IFDIR {
			below = append(below, child)
			continue
		}
		if err := c.addFile(child, ref.at(e.name), path); err != nil {
			return nil, c.about(child, err)
		}
	}
	return below, nil
}

// closeDir adds the opaque mark of a directory that has a whiteout beside it,
// unless it says already what it merges.
func (c *collector) closeDir(parent dirRef, name string) error {
	marks, err := c.s.marksOf(parent, name)
	if err == nil && !marks.Opaque && !marks.HasRedirect {
		c.items = append(c.items, item{path: joinPath(parent.path, name), mark: opaqueMark})
	}
	return err
}

// movedDir gathers a directory that was renamed: archives know no redirects, so
// all that it shows stands at its new place, whatever the layers below have
// there.
func (c *collector) movedDir(path string) error {
	dir, name := splitPath(path)
	f := &found{name: name, mode: unix.S_IFDIR, refs: []dirRef{{c.s.upper, dir}}}
	d, err := c.s.enter(&mergedDir{lpath: dir}, f)
	if err != nil {
		return err
	}
	c.items = append(c.items, item{path: path, mark: opaqueMark})
	return c.mergedDir(path, d)
}

// shownDir is the directory that tells what a merged one is like.
func (c *collector) shownDir(path string, d *mergedDir) place {
	if path == "" && c.s.rootOf != nil {
		return dirRef{layer: c.s.rootOf}.place()
	}
	return d.refs[0].place()
}

// mergedDir gathers a directory of the union and all below it.
func (c *collector) mergedDir(top string, d *mergedDir) error {
	type level struct {
		path string
		dir  *mergedDir
	}
	todo := []level{{top, d}}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		c.items = append(c.items, item{path: at.path, src: c.shownDir(at.path, at.dir)})
		names, err := c.s.readDir(at.dir)
		if err != nil {
			return c.about(at.path, err)
		}
		for _, f := range names {
			child := joinPath(at.path, f.name)
			if !f.isDir() {
				if err := c.addFile(child, f.place(), at.dir.lpath); err != nil {
					return c.about(child, err)
				}
				continue
			}
			below, err := c.s.enter(at.dir, f)
			if err != nil {
				return c.about(child, err)
			}
			todo = append(todo, level{child, below})
		}
	}
	return nil
}
