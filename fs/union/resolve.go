package union

import (
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// resolve finds the layers that the directory entry e of d merges. The rules
// are those of fs/overlayfs/namei.c (ovl_lookup): down from the highest layer
// that has the name, until an opaque directory, a whiteout or another type;
// a redirect says under which path the layers below know the directory.
func (u *Union) resolve(d *dir, e *entry) (*dir, error) {
	child := u.newDirOf(d.lpath.child(e.name))
	candidates := e.more()
	if e.top == topUpper {
		h, err := u.openDir(d.upper)
		if err != nil {
			return nil, err
		}
		marks, err := whiteout.ReadDirMarks(h.fd, e.name)
		h.release()
		if err != nil {
			return nil, err
		}
		child.upper = &dirRef{layer: u.upper, parent: d.upper, name: e.name, xwhiteouts: marks.XWhiteouts}
		if marks.Opaque {
			return child, nil
		}
		if marks.HasRedirect && u.followRedirects() {
			return child, u.redirected(d, child, marks.Redirect)
		}
	} else {
		candidates = append([]uint16{uint16(e.top)}, e.more()...)
	}
	return child, u.mergeByName(d, child, e.name, candidates)
}

func (u *Union) followRedirects() bool { return u.cfg.RedirectDir != RedirectNoFollow }

// redirected resolves the lowers of an upper directory that has a redirect.
func (u *Union) redirected(d, child *dir, redirect string) error {
	if !strings.HasPrefix(redirect, "/") {
		if !whiteout.ValidName(redirect) {
			return nil
		}
		child.lpath = d.lpath.child(redirect)
		var err error
		child.lowers, err = u.followName(d.lowers, child.lpath)
		return err
	}
	path, ok := parseLowerPath(redirect)
	if !ok {
		return nil
	}
	child.lpath = path
	var err error
	child.lowers, err = u.follow(0, path.names())
	return err
}

// followName looks for the path's last name in the given directories.
func (u *Union) followName(lowers []*dirRef, path *lowerPath) ([]*dirRef, error) {
	var found []*dirRef
	for _, parent := range lowers {
		step, err := u.stepInto(parent, path.name)
		if err != nil {
			return nil, err
		}
		if step.ref != nil {
			found = append(found, step.ref)
		}
		if step.stop {
			break
		}
		if step.redirect != "" {
			names := append(path.parent.names(), path.name)
			rest, err := u.follow(parent.layer.index+1, applyRedirect(names, len(names)-1, step.redirect))
			return append(found, rest...), err
		}
	}
	return found, nil
}

// mergeByName adds the candidates, which the directory's table already knows
// to hold a directory of the name.
func (u *Union) mergeByName(d, child *dir, name string, candidates []uint16) error {
	for _, i := range candidates {
		parent := d.lowers[i]
		ref, marks, err := u.lowerChild(parent, name)
		if err != nil {
			return err
		}
		child.lowers = append(child.lowers, ref)
		if marks.Opaque {
			return nil
		}
		if marks.HasRedirect && u.followRedirects() {
			names := append(d.lpath.names(), name)
			rest, err := u.follow(parent.layer.index+1, applyRedirect(names, len(names)-1, marks.Redirect))
			child.lowers = append(child.lowers, rest...)
			return err
		}
	}
	return nil
}

// follow finds the directory with the given path from the layer's root in
// each layer from start down.
func (u *Union) follow(start int, names []string) ([]*dirRef, error) {
	var found []*dirRef
	for i := start; i < len(u.lowers); i++ {
		w, err := u.walk(u.lowers[i], names)
		if err != nil {
			return nil, err
		}
		if w.ref != nil {
			found = append(found, w.ref)
		}
		if w.stop {
			break
		}
		names = w.names
	}
	return found, nil
}

// walked is the end of a path in one layer.
type walked struct {
	ref   *dirRef  // the directory, or nil
	stop  bool     // the layers below don't count
	names []string // the path by which the layers below know it
}

// walk goes down names in one layer (ovl_lookup_layer).
func (u *Union) walk(l *layer, names []string) (walked, error) {
	w := walked{ref: l.root, names: names}
	for k, name := range names {
		step, err := u.stepInto(w.ref, name)
		if err != nil {
			return w, err
		}
		w.ref = step.ref
		w.stop = w.stop || step.stop
		if step.redirect != "" {
			w.names = applyRedirect(w.names, len(w.names)-len(names)+k, step.redirect)
		}
		if step.ref == nil {
			return w, nil
		}
	}
	return w, nil
}

// step is one name looked up in one lower directory.
type step struct {
	ref      *dirRef // nil when there is no directory
	stop     bool
	redirect string
}

func (u *Union) stepInto(parent *dirRef, name string) (step, error) {
	if x, d, ok := parent.indexed(); ok {
		return stepIndexed(parent, x, d, name), nil
	}
	h, err := u.openDir(parent)
	if err != nil {
		return step{}, err
	}
	defer h.release()
	var st unix.Statx_t
	if err := hostfs.Statx(h.fd, name, &st); err != nil {
		if err != unix.ENOENT {
			return step{}, err
		}
		// The layer says nothing of the name unless it has a sidecar.
		return step{stop: exists(h.fd, whiteout.AufsPrefix+name) || exists(h.fd, whiteout.AufsOpaque)}, nil
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return step{stop: true}, nil
	}
	marks, err := whiteout.ReadDirMarks(h.fd, name)
	if err != nil {
		return step{}, err
	}
	ref := &dirRef{layer: parent.layer, parent: parent, name: name, xwhiteouts: marks.XWhiteouts}
	s := step{ref: ref, stop: marks.Opaque || exists(h.fd, whiteout.AufsPrefix+name) || exists(h.fd, name+"/"+whiteout.AufsOpaque)}
	if marks.HasRedirect && !s.stop && u.followRedirects() {
		s.redirect = marks.Redirect
	}
	return s, nil
}

func exists(dirfd int, name string) bool {
	var st unix.Statx_t
	return hostfs.Statx(dirfd, name, &st) == nil
}

// applyRedirect replaces names[:at+1] by what a redirect found there says:
// an absolute path, or another last name. A redirect that could lead out of
// the layer changes nothing.
func applyRedirect(names []string, at int, redirect string) []string {
	if at < 0 || at >= len(names) {
		return names
	}
	var head []string
	if strings.HasPrefix(redirect, "/") {
		path, ok := parseLowerPath(redirect)
		if !ok {
			return names
		}
		head = path.names()
	} else {
		if !whiteout.ValidName(redirect) {
			return names
		}
		head = append(append(head, names[:at]...), redirect)
	}
	return append(head, names[at+1:]...)
}
