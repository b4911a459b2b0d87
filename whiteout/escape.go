package whiteout

import "strings"

// private lists the namespaces of private names, and the word that escapes a
// user's name in each. Kernel: ovl_xattr_escape_name of fs/overlayfs/xattrs.c,
// which does so that a union can be a layer of another one.
var private = [...]struct{ prefix, word string }{
	{"user.overlay.", "overlay."},
	{"trusted.overlay.", "overlay."},
	{"user.fuseoverlayfs.", "fuseoverlayfs."},
	{"security.fuseoverlayfs.", "fuseoverlayfs."},
}

// split finds the private namespace that name is in.
func split(name string) (prefix, word, rest string, ok bool) {
	for _, p := range private {
		if rest, ok := strings.CutPrefix(name, p.prefix); ok {
			return p.prefix, p.word, rest, true
		}
	}
	return "", "", "", false
}

// IsPrivate tells whether name is in a namespace that unions keep for
// themselves: a user's attribute of that name needs Escape. The owners in
// user.containers.override_* are private in some unions only: IsOverride.
func IsPrivate(name string) bool {
	_, _, _, ok := split(name)
	return ok
}

// IsOverride tells whether name keeps an owner or another value that the host
// can't store.
func IsOverride(name string) bool {
	return strings.HasPrefix(name, "user.containers.override_")
}

// Escape gives the name under which a user's attribute is stored.
func Escape(visible string) string {
	prefix, word, rest, ok := split(visible)
	if !ok {
		return visible
	}
	return prefix + word + rest
}

// Unescape gives the name under which a stored attribute is shown; shown is
// false for those that are ours.
func Unescape(disk string) (visible string, shown bool) {
	prefix, word, rest, ok := split(disk)
	if !ok {
		return disk, true
	}
	if rest, ok = strings.CutPrefix(rest, word); ok {
		return prefix + rest, true
	}
	return "", false
}
