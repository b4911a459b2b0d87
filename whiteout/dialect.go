package whiteout

import "strings"

// Dialect says which forms of marks are believed in a layer. What somebody else
// than a writer of layers put there must not be taken for a mark.
type Dialect uint8

const (
	// AnyForm believes all forms: who wrote a layer isn't known, and what
	// users of our unions write never looks like a mark.
	AnyForm Dialect = iota
	// KernelTrusted is what the kernel's overlayfs believes of an upper that
	// root mounted: its users may have files named .wh.NAME and attributes in
	// user.overlay.* of their own (ovl_own_xattr_prefix).
	KernelTrusted
	// KernelUser is the same for an upper mounted with userxattr, where the
	// kernel keeps its users from user.overlay.*.
	KernelUser
)

// Believes tells whether attributes of the namespace are marks.
func (d Dialect) Believes(ns Namespace) bool {
	return d == AnyForm || d == KernelTrusted && ns == Trusted || d == KernelUser && ns == User
}

// aufs tells whether names that begin with .wh. are marks.
func (d Dialect) aufs() bool { return d == AnyForm }

// dialectMask are the sightings that a dialect believes.
var dialectMask = func() (t [KernelUser + 1]sightings) {
	for d := range t {
		for ns := range namespaces {
			for a := range attrs {
				if Dialect(d).Believes(ns) {
					t[d] |= saw(ns, a)
				}
			}
		}
	}
	t[AnyForm] |= sawFuseOpaque
	return t
}()

// Unescape is the function of that name, for an object in a layer of this
// dialect.
func (d Dialect) Unescape(disk string) (visible string, shown bool) {
	if d == KernelTrusted && !strings.HasPrefix(disk, "trusted.overlay.") ||
		d == KernelUser && !strings.HasPrefix(disk, "user.overlay.") {
		return disk, true
	}
	return Unescape(disk)
}
