package layertar

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// file hands anything but directories and hard links to the workers.
func (u *unpacker) file(tr *tar.Reader, parent *node, name string, e *entry) error {
	if err := u.clear(parent, name); err != nil {
		return err
	}
	if e.kind == kindSymlink {
		if err := checkTarget(e.target); err != nil {
			return err
		}
		parent.add(&node{parent: parent, name: name, isLink: true, target: e.target})
	}
	at, err := u.fds.acquire(parent)
	if err != nil {
		return err
	}
	j := &job{key: key{parent, name}, at: at, e: e}
	if e.kind != kindFile || e.size == 0 {
		return u.pool.submit(j)
	}
	if e.size > bufSize || e.sparse {
		return u.stream(tr, j)
	}
	if j.data, err = u.pool.buffer(); err != nil {
		at.release()
		return err
	}
	j.data = j.data[:e.size]
	if _, err := io.ReadFull(tr, j.data); err != nil {
		u.pool.give(j.data)
		at.release()
		return cutShort(err)
	}
	return u.pool.submit(j)
}

// stream lets a worker write a large file while it is read.
func (u *unpacker) stream(tr *tar.Reader, j *job) error {
	j.parts = make(chan []byte, 4)
	defer close(j.parts)
	left := j.e.size
	if err := u.pool.submit(j); err != nil {
		return err
	}
	for left > 0 {
		b, err := u.pool.buffer()
		if err != nil {
			return err
		}
		b = b[:min(left, bufSize)]
		if _, err := io.ReadFull(tr, b); err != nil {
			u.pool.give(b)
			err = j.explain(cutShort(err))
			u.pool.cancel(err) // before the worker takes this for the end
			return err
		}
		left -= int64(len(b))
		select {
		case j.parts <- b:
		case <-u.pool.ctx.Done():
			u.pool.give(b)
			return u.pool.err()
		}
	}
	return nil
}

func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("the archive ends within its data")
	}
	return err
}

func checkTarget(target string) error {
	switch {
	case target == "":
		return errors.New("the symlink says nothing")
	case len(target) > pathMax:
		return fmt.Errorf("the symlink says %d bytes: %d are the most", len(target), pathMax)
	}
	for i := range len(target) {
		if target[i] == 0 {
			return errors.New("the symlink says a NUL byte")
		}
	}
	return nil
}

// kindBits are the S_IFMT bits of what jobs make.
func (e *entry) kindBits() uint32 {
	switch e.kind {
	case kindDir:
		return unix.S_IFDIR
	case kindSymlink:
		return unix.S_IFLNK
	case kindFifo:
		return unix.S_IFIFO
	case kindChar:
		return unix.S_IFCHR
	case kindBlock:
		return unix.S_IFBLK
	}
	return unix.S_IFREG
}
