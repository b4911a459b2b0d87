package layertar

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// listing is one directory of one layer.
type listing struct {
	plain    []listed
	hidden   []string // whiteouts of these names
	opaque   bool
	redirect string
}

type listed struct {
	name string
	mode uint32 // S_IFMT bits on the host
}

// list reads one directory of one layer, marks and all.
func (s *stack) list(ref dirRef) (*listing, error) {
	fd, err := s.dirs.open(ref)
	if err != nil {
		return nil, err
	}
	if s.ids == Plain {
		return listPlain(fd)
	}
	marks, err := ref.layer.marks.ReadDirMarks(fd, "")
	if err != nil {
		return nil, err
	}
	l := &listing{opaque: marks.Opaque, redirect: marks.Redirect}
	err = hostfs.ListDir(fd, "", func(name []byte, _ uint64, dtype uint8) error {
		class, of, err := whiteout.Classify(fd, marks, name, dtype)
		switch class {
		case whiteout.Plain:
			l.plain = append(l.plain, listed{string(name), uint32(dtype) << 12})
		case whiteout.WhiteoutOf:
			l.hidden = append(l.hidden, string(of))
		case whiteout.OpaqueMarker:
			l.opaque = true
		}
		return err
	})
	l.sort()
	return l, err
}

// listPlain reads one in which nothing is a mark.
func listPlain(fd int) (*listing, error) {
	l := &listing{}
	err := hostfs.ListDir(fd, "", func(name []byte, _ uint64, dtype uint8) error {
		l.plain = append(l.plain, listed{string(name), uint32(dtype) << 12})
		return nil
	})
	l.sort()
	return l, err
}

func (l *listing) sort() {
	slices.SortFunc(l.plain, func(a, b listed) int { return strings.Compare(a.name, b.name) })
}

// readDir lists a directory of the union.
func (s *stack) readDir(d *mergedDir) ([]*found, error) {
	type state struct {
		f      *found // nil: hidden
		closed bool
	}
	names := map[string]*state{}
	var out []*found
	for _, ref := range d.refs {
		l, err := s.list(ref)
		if err != nil {
			return nil, err
		}
		for _, e := range l.plain {
			st := names[e.name]
			switch {
			case st == nil:
				f := &found{name: e.name, mode: e.mode, refs: []dirRef{ref}}
				names[e.name] = &state{f: f, closed: e.mode != unix.S_IFDIR}
				out = append(out, f)
			case st.closed:
			case e.mode == unix.S_IFDIR:
				st.f.refs = append(st.f.refs, ref)
			default:
				st.closed = true
			}
		}
		for _, name := range l.hidden {
			if names[name] == nil {
				names[name] = &state{}
			}
			names[name].closed = true
		}
		if l.opaque {
			break
		}
	}
	return out, nil
}
