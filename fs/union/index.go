package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// The index holds one more name of every file that was copied up from a lower
// file with several names, under the lower file's identity. Through it all
// those names stay one file, as with the kernel's index=on, whose format we
// can't write because its file handles take privilege to open.

// openIndex reads the index left by earlier mounts.
func (w *work) openIndex(u *Union) error {
	if u.cfg.NoIndex || !u.caps.Xattrs {
		return nil
	}
	fd, err := hostfs.OpenDir(w.fd, privateName+"/"+indexName)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return err
	}
	w.index = pinned(fd)
	return hostfs.ListDir(fd, "", func(name []byte, _ uint64, _ uint8) error {
		id := parseIdentity(string(name))
		if ino, ok := u.inos.known(id); ok && id != (identity{}) {
			w.indexed[ino] = string(name)
		}
		return nil
	})
}

// makeIndex makes the index's directory at the first need.
func (w *work) makeIndex() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.index != nil {
		return nil
	}
	if err := w.makePrivate(indexName); err != nil {
		return err
	}
	fd, err := hostfs.OpenDir(w.fd, privateName+"/"+indexName)
	if err != nil {
		return err
	}
	w.index = pinned(fd)
	return nil
}

func (w *work) isIndexed(ino uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.indexed[ino] != ""
}

func (u *Union) indexName(n *Inode) string {
	u.work.mu.Lock()
	defer u.work.mu.Unlock()
	return u.work.indexed[n.ino]
}

// enterIndexed gives the inode of a lower file the state of its copy in upper,
// which another of its names led to. The caller keeps n to itself.
func (u *Union) enterIndexed(n *Inode, attr *Attr) error {
	n.indexed = true
	u.work.index.acquire()
	p := place{h: u.work.index, name: u.indexName(n), upper: true}
	defer p.release()
	if err := u.statPlace(p, attr); err != nil {
		return err
	}
	m, err := readFileMarks(p)
	if err != nil {
		return err
	}
	if u.recordsOrigin(n.typ) {
		m.links = u.recorded(attr).links
	}
	n.setLowerNames(m.links)
	n.state.Store(inUpper)
	if m.metacopy {
		n.state.Store(inMeta)
		n.data, err = u.findDataFrom(n.lower)
		if err != nil {
			return err
		}
	}
	return nil
}
