package layertar

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// node is a directory or a symlink that this archive made. Both are known
// without a look at the disk: directories since names are made in them,
// symlinks since names may lead through them. Files aren't kept.
type node struct {
	parent *node // nil for the root
	name   string
	kids   map[string]*node
	isLink bool
	target string // of a symlink
	attrs  *attrs // of a directory; nil until an entry says them
	opaque bool
	gone   bool // replaced since

	handle handle
}

func (n *node) child(name string) *node { return n.kids[name] }

func (n *node) add(kid *node) {
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	n.kids[kid.name] = kid
}

// path is relative to the tree, "" for the root.
func (n *node) path() string {
	if n.parent == nil {
		return ""
	}
	depth := 0
	for at := n; at.parent != nil; at = at.parent {
		depth++
	}
	parts := make([]string, depth)
	for at := n; at.parent != nil; at = at.parent {
		depth--
		parts[depth] = at.name
	}
	return strings.Join(parts, "/")
}

// parentCache remembers the last directory: the entries of one come together.
type parentCache struct {
	path string
	node *node
}

// maxHops is how many symlinks one name may lead through, as in the kernel
// (MAXSYMLINKS).
const maxHops = 40

// resolveDir finds the directory that holds an entry. Directories that are
// missing are made.
func (u *unpacker) resolveDir(path string, e *entry) (*node, error) {
	if path == "" {
		return u.root, nil
	}
	if u.parent.node != nil && u.parent.path == path {
		return u.parent.node, nil
	}
	n, err := u.follow(path, func(at *node, name string) (*node, error) { return u.imply(at, name, e) })
	if err == nil {
		u.parent = parentCache{path, n}
	}
	return n, err
}

// existingDir is resolveDir for a name that must be there already: nil when it
// isn't.
func (u *unpacker) existingDir(path string) (*node, error) {
	return u.follow(path, func(*node, string) (*node, error) { return nil, nil })
}

// follow walks down a path; missing answers for what isn't known. A symlink on
// the way is followed within the tree, as if the tree were the root of the
// process, which is what chroot gives Docker and podman, and what containerd
// and umoci compute: ".." stops at the root, and an absolute target counts from
// there.
func (u *unpacker) follow(path string, missing func(at *node, name string) (*node, error)) (*node, error) {
	at, rest, hops := u.root, path, 0
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			if at.parent != nil {
				at = at.parent
			}
			continue
		}
		kid := at.child(part)
		if kid == nil {
			var err error
			if kid, err = missing(at, part); kid == nil {
				return nil, err
			}
		}
		if !kid.isLink {
			at = kid
			continue
		}
		if hops++; hops > maxHops || len(kid.target)+len(rest) > 2*pathMax {
			return nil, fmt.Errorf("its name leads through more than %d symlinks, maybe in a circle", maxHops)
		}
		if strings.HasPrefix(kid.target, "/") {
			at = u.root
		}
		rest = kid.target + "/" + rest
	}
	return at, nil
}

// imply makes a directory that no entry has told of yet.
func (u *unpacker) imply(parent *node, name string, e *entry) (*node, error) {
	if len(name) > nameMax {
		return nil, fmt.Errorf("a symlink on its way has a part of %d bytes: %d are the most", len(name), nameMax)
	}
	u.made++
	if err := u.limitEntries(); err != nil {
		return nil, err
	}
	kid, err := u.makeDir(parent, name, false)
	if err != nil {
		return nil, err
	}
	kid.attrs = impliedAttrs(e)
	if u.root.attrs == nil {
		u.root.attrs = impliedAttrs(e)
	}
	return kid, nil
}

// makeDir makes a directory. Its owner, mode and times come at the end (see
// finish); until then it is ours alone. A whiteout in its place means that it
// hides what is below; so does a file that it replaces.
func (u *unpacker) makeDir(parent *node, name string, replace bool) (*node, error) {
	u.pool.await(parent, name)
	fd, err := u.fds.open(parent)
	if err != nil {
		return nil, err
	}
	kid := &node{parent: parent, name: name}
	err = hostfs.Mkdir(fd, name, dirModeWhileMade)
	if err == unix.EEXIST {
		mark, cerr := isWhiteout(fd, name)
		if cerr != nil {
			return nil, cerr
		}
		if !mark && !replace {
			return nil, fmt.Errorf("%q is no directory in this archive, and can't hold it", joinPath(parent.path(), name))
		}
		if err = hostfs.Unlink(fd, name); err == nil {
			err = hostfs.Mkdir(fd, name, dirModeWhileMade)
		}
		kid.opaque = true
	}
	if err != nil {
		return nil, err
	}
	parent.add(kid)
	u.all = append(u.all, kid)
	return kid, nil
}

// dirModeWhileMade keeps others out of what is half-made.
const dirModeWhileMade = 0o700

// isWhiteout tells whether a mark stands in the place of name.
func isWhiteout(dirfd int, name string) (bool, error) {
	class, of, err := whiteout.Classify(dirfd, whiteout.DirMarks{XWhiteouts: true}, []byte(name), unix.DT_UNKNOWN)
	return err == nil && class == whiteout.WhiteoutOf && string(of) == name, err
}

// directory makes a directory, or gives one that is there new attributes. In
// place of anything else it stands alone: what the layers below have in a
// directory of its name was hidden by what it replaces.
func (u *unpacker) directory(parent *node, name string, e *entry) error {
	kid := parent.child(name)
	if kid != nil && kid.isLink {
		u.forget(kid)
		kid = nil
	}
	if kid == nil {
		var err error
		if kid, err = u.makeDir(parent, name, true); err != nil {
			return err
		}
		u.links.drop(parent, name)
	}
	return u.setAttrs(kid, e)
}

// rootEntry is the entry of the tree itself.
func (u *unpacker) rootEntry(e *entry) error {
	if e.kind != kindDir {
		return errors.New("it stands for the root, and is no directory")
	}
	u.sum.Root = true
	return u.setAttrs(u.root, e)
}

// maxKept bounds the attributes that wait for the end.
const maxKept = 64 << 20

func (u *unpacker) setAttrs(n *node, e *entry) error {
	if n.attrs != nil {
		u.kept -= n.attrs.weight()
	}
	n.attrs = &e.attrs
	if u.kept += n.attrs.weight(); u.kept > maxKept {
		return &LimitError{What: "bytes of extended attributes on directories", Limit: maxKept}
	}
	return nil
}

// clear makes way for an entry that is no directory. What isn't known here is
// at most a file, which its maker replaces.
func (u *unpacker) clear(parent *node, name string) error {
	u.links.drop(parent, name)
	kid := parent.child(name)
	if kid == nil {
		u.pool.await(parent, name)
		return nil
	}
	if kid.isLink {
		u.pool.await(parent, name)
		u.forget(kid)
		return nil
	}
	if err := u.pool.drain(); err != nil { // files below it may be on their way
		return err
	}
	fd, err := u.fds.open(parent)
	if err != nil {
		return err
	}
	u.forget(kid)
	return hostfs.RemoveAll(fd, name)
}

// forget takes a node and all below it out of the table.
func (u *unpacker) forget(n *node) {
	delete(n.parent.kids, n.name)
	u.parent = parentCache{}
	todo := []*node{n}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		at.gone = true
		u.fds.drop(at)
		if at.attrs != nil {
			u.kept -= at.attrs.weight()
		}
		for _, kid := range at.kids {
			todo = append(todo, kid)
		}
	}
}
