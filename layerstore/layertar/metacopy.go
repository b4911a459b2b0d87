package layertar

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

var errNoData = errors.New("no layer below holds its data: give all the layers that the snapshot was made on")

// dataOf finds the data of a regular file, which is in a layer below when the
// file is a copy of metadata alone. lpath is the path by which the layers below
// know the directory of a file in upper.
func (s *stack) dataOf(p place, lpath string) (place, error) {
	if s.ids == Plain {
		return p, nil
	}
	for range len(s.lowers) + 1 {
		fd, err := s.dirs.open(dirRef{p.layer, p.dir})
		if err != nil {
			return p, err
		}
		redirect, isCopy, err := readMetacopy(p.layer.marks, fd, p.name)
		if err != nil || !isCopy {
			return p, err
		}
		if p.layer.index >= 0 {
			w, err := s.walk(p.layer, splitNames(p.dir))
			if err != nil {
				return p, err
			}
			lpath = strings.Join(w.names, "/")
		}
		names := append(splitNames(lpath), p.name)
		if redirect != "" {
			if names, isCopy = redirectNames(names, redirect); !isCopy {
				return p, fmt.Errorf("its redirect %q leads nowhere", redirect)
			}
		}
		if p, err = s.findFile(p.layer.index+1, names); err != nil {
			return p, err
		}
	}
	return p, errNoData
}

// findFile finds the regular file with the given path in the lowers from start
// on.
func (s *stack) findFile(start int, names []string) (place, error) {
	last, dirs := names[len(names)-1], names[:len(names)-1]
	for i := start; i < len(s.lowers); i++ {
		w, err := s.walk(s.lowers[i], dirs)
		if err != nil {
			return place{}, err
		}
		if w.there {
			p, err := s.peek(w.ref, last)
			if err != nil {
				return place{}, err
			}
			if p.there && p.mode == unix.S_IFREG {
				return w.ref.at(last), nil
			}
			w.stop = w.stop || p.stop
		}
		if w.stop {
			break
		}
		dirs = w.names
	}
	return place{}, errNoData
}

// readMetacopy tells whether a file is a copy of metadata alone, and which
// redirect it has.
func readMetacopy(d whiteout.Dialect, dirfd int, name string) (redirect string, isCopy bool, err error) {
	for _, ns := range [...]whiteout.Namespace{whiteout.Trusted, whiteout.User} {
		if !d.Believes(ns) {
			continue
		}
		if _, err := hostfs.Getxattr(dirfd, name, ns.Name(whiteout.Metacopy), nil); err != nil {
			if lacksXattr(err) {
				continue
			}
			return "", false, err
		}
		v, err := hostfs.GetxattrAll(dirfd, name, ns.Name(whiteout.Redirect))
		if err != nil && !lacksXattr(err) {
			return "", false, err
		}
		return string(v), true, nil
	}
	return "", false, nil
}

func lacksXattr(err error) bool {
	return err == unix.ENODATA || err == unix.EOPNOTSUPP || err == unix.EPERM || err == unix.EACCES
}
