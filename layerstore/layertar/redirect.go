package layertar

import (
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/whiteout"
)

// redirected finds what a directory with a redirect merges below itself.
func (s *stack) redirected(child *mergedDir, parent dirRef, name, lpath, redirect string) ([]dirRef, error) {
	names := append(splitNames(lpath), name)
	if parent.layer.index >= 0 {
		return s.follow(parent.layer.index+1, applyRedirect(names, len(names)-1, redirect))
	}
	if names, ok := redirectNames(names, redirect); ok {
		child.lpath = strings.Join(names, "/")
		return s.follow(0, names)
	}
	return nil, nil
}

// redirectNames is where a redirect of the upper layer leads; not ok when it
// leads nowhere.
func redirectNames(names []string, redirect string) ([]string, bool) {
	if strings.HasPrefix(redirect, "/") {
		return parsePath(redirect)
	}
	if !whiteout.ValidName(redirect) {
		return nil, false
	}
	return append(names[:len(names)-1:len(names)-1], redirect), true
}

func (s *stack) marksOf(parent dirRef, name string) (whiteout.DirMarks, error) {
	fd, err := s.dirs.open(parent)
	if err != nil {
		return whiteout.DirMarks{}, err
	}
	return parent.layer.marks.ReadDirMarks(fd, name)
}

// follow finds the directory with the given path in each lower from start on.
func (s *stack) follow(start int, names []string) ([]dirRef, error) {
	var out []dirRef
	for i := start; i < len(s.lowers); i++ {
		w, err := s.walk(s.lowers[i], names)
		if err != nil {
			return nil, err
		}
		if w.there {
			out = append(out, w.ref)
		}
		if w.stop {
			break
		}
		names = w.names
	}
	return out, nil
}

// walked is the end of a path in one layer.
type walked struct {
	ref   dirRef
	there bool
	stop  bool     // the layers below don't count
	names []string // the path by which they know it
}

// walk goes down names in one layer (fs/overlayfs, ovl_lookup_layer).
func (s *stack) walk(l *layer, names []string) (walked, error) {
	w := walked{ref: dirRef{layer: l}, there: true, names: names}
	for k, name := range names {
		p, err := s.peek(w.ref, name)
		if err != nil {
			return w, err
		}
		w.stop = w.stop || p.stop
		w.there = p.there && p.mode == unix.S_IFDIR
		if !w.there {
			return w, nil
		}
		marks, err := s.marksOf(w.ref, name)
		if err != nil {
			return w, err
		}
		w.ref = w.ref.child(name)
		w.stop = w.stop || marks.Opaque
		if marks.HasRedirect && !w.stop {
			w.names = applyRedirect(w.names, len(w.names)-len(names)+k, marks.Redirect)
		}
	}
	return w, nil
}

// applyRedirect replaces names[:at+1] by what a redirect found there says. One
// that could lead out of the layer changes nothing.
func applyRedirect(names []string, at int, redirect string) []string {
	if at < 0 || at >= len(names) {
		return names
	}
	head, ok := redirectNames(append([]string(nil), names[:at+1]...), redirect)
	if !ok {
		return names
	}
	return append(head, names[at+1:]...)
}

func splitNames(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// parsePath reads an absolute redirect.
func parsePath(path string) ([]string, bool) {
	var names []string
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if !whiteout.ValidName(name) {
			return nil, false
		}
		names = append(names, name)
	}
	return names, len(names) > 0
}
