package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

const dtDir = unix.DT_DIR

// loaded answers d's table, building it at the first touch. The caller holds
// Union.tree for reading and d.mu for writing.
func (u *Union) loaded(d *dir) (*table, error) {
	if d.table != nil {
		return d.table, nil
	}
	b := builder{u: u, t: newTable()}
	if u.live && !d.removed {
		var err error
		if d.stamps, err = u.stamps(d); err != nil {
			return nil, err
		}
	}
	if d.removed {
		d.table = b.t
		return d.table, nil
	}
	if d.upper != nil {
		if err := b.addLayer(topUpper, d.upper); err != nil {
			return nil, err
		}
	}
	for i, ref := range d.lowers {
		if b.opaque {
			d.lowers = d.lowers[:i]
			break
		}
		if err := b.addLayer(int16(i), ref); err != nil {
			return nil, err
		}
	}
	d.table = b.finish()
	return d.table, nil
}

// rlock takes d.mu for reading with the table loaded.
func (u *Union) rlock(d *dir) (*table, error) {
	d.mu.RLock()
	if d.table != nil {
		return d.table, nil
	}
	d.mu.RUnlock()
	d.mu.Lock()
	_, err := u.loaded(d)
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d.mu.RLock()
	return d.table, nil // tables are never taken away while the dir is reachable
}

// builder merges the layers of one directory, the highest first, the way
// fs/overlayfs/readdir.c does: the first layer that has a name decides.
type builder struct {
	u *Union
	t *table
	// order keeps visible entries in the order found.
	order  []*entry
	hidden []mark // whiteouts of the layer being read
	opaque bool   // the layer just read said that it hides all below
}

// mark is a whiteout: the name it hides, and the one it stands under.
type mark struct{ of, at string }

func (b *builder) addLayer(top int16, ref *dirRef) error {
	if x, d, ok := ref.indexed(); ok {
		b.addIndexed(top, ref, x, d)
		return nil
	}
	h, err := b.u.openDir(ref)
	if err != nil {
		return err
	}
	defer h.release()
	marks := whiteout.DirMarks{XWhiteouts: ref.xwhiteouts}
	b.hidden = b.hidden[:0]
	err = hostfs.ListDir(h.fd, "", func(name []byte, ino uint64, dtype uint8) error {
		class, of, err := whiteout.Classify(h.fd, marks, name, dtype)
		if err != nil {
			return err
		}
		switch class {
		case whiteout.Plain:
			b.addName(top, ref, name, ino, dtype)
		case whiteout.WhiteoutOf:
			b.hidden = append(b.hidden, mark{string(of), string(name)})
		case whiteout.OpaqueMarker:
			b.opaque = true
		}
		return nil
	})
	// Whiteouts hide what lies below their layer, not beside them, so they
	// count after the whole layer was read.
	for _, m := range b.hidden {
		b.hide(top, m)
	}
	return err
}

func (b *builder) addName(top int16, ref *dirRef, name []byte, ino uint64, dtype uint8) {
	e := b.t.names.find(name)
	if e == nil {
		e = &entry{name: string(name), top: top, dtype: dtype, mergeEnd: dtype != dtDir}
		if top != topUpper {
			e.ino = b.u.inos.present(ref.layer.fs, ino)
		}
		b.t.names.put(e)
		b.order = append(b.order, e)
		return
	}
	if e.lowerEnd || top == topUpper {
		return
	}
	if e.top == topUpper || e.inUpper() {
		e.hasLower = true
	}
	if dtype != dtDir {
		e.mergeEnd, e.lowerEnd = true, true
		return
	}
	if !e.mergeEnd {
		e.own().more = append(e.more(), uint16(top))
	}
}

func (b *builder) hide(top int16, m mark) {
	e := b.t.names.get(m.of)
	if e == nil {
		e = &entry{name: m.of, top: topHidden}
		b.t.names.put(e)
	}
	e.mergeEnd = true
	if top == topUpper {
		b.addWhiteout(e, m.at)
	} else {
		e.lowerEnd = true
	}
}

// finish forgets the whiteouts that lower layers put against each other and
// gives the visible names their places.
func (b *builder) finish() *table {
	b.t.names.keep(func(e *entry) bool { return e.visible() || e.inUpper() })
	b.t.old = make([]listed, 0, len(b.order))
	for _, e := range b.order {
		b.t.found(e)
	}
	return b.t
}
