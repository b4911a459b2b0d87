package layertar

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Change is one path that differs.
type Change struct {
	Path string // absolute, as in the container
	Kind Kind
}

// Kind is docker's letter.
type Kind byte

const (
	Added   Kind = 'A'
	Changed Kind = 'C'
	Deleted Kind = 'D'
)

// changeSet collects paths, each once. As in docker, a directory in which
// something changed has changed too, and of what was deleted the top alone is
// listed.
type changeSet map[string]Kind

// list adds the parents and sorts.
func (s changeSet) list() []Change {
	for path := range s {
		for dir, _ := splitPath(path); dir != ""; dir, _ = splitPath(dir) {
			if _, there := s[dir]; there {
				break // and so are those above, or will be
			}
			s[dir] = Changed
		}
	}
	out := make([]Change, 0, len(s))
	for path, kind := range s {
		out = append(out, Change{path, kind})
	}
	slices.SortFunc(out, func(a, b Change) int { return comparePaths(a.Path, b.Path) })
	for i := range out {
		out[i].Path = "/" + out[i].Path
	}
	return out
}

func typeOf(st *unix.Statx_t) uint32 { return uint32(st.Mode) & unix.S_IFMT }

func inodeOf(st *unix.Statx_t) inode { return inode{st.Dev_major, st.Dev_minor, st.Ino} }
