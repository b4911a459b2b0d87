package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// An upper that another program wrote may hold whiteouts in the place where
// the union doesn't put its own: beside the name they hide (the aufs form)
// instead of in its place, or the reverse. They are read as they are; the
// first change of such a name makes it the union's own form, so that all other
// code knows one form only. Device and xattr whiteouts have the same place and
// need no change.

// addWhiteout notes a whiteout of upper, which stands under the name mark.
func (b *builder) addWhiteout(e *entry, mark string) {
	if b.u.codec == nil || mark == b.u.codec.MarkName(e.name) {
		e.whiteout = true
	} else {
		e.own().foreign = mark
	}
}

// inUpper tells whether upper holds a whiteout of the name, in any form.
func (e *entry) inUpper() bool { return e.whiteout || e.foreign() != "" }

// makeNative turns a whiteout of another form for e, if there is one, into the
// union's own, or into nothing where upper's object hides the lower one by
// itself. That is no change of the directory to its users: its times stay. The
// caller holds the directory's lock.
func (u *Union) makeNative(dirfd int, e *entry) error {
	if e == nil || e.foreign() == "" {
		return nil
	}
	var st unix.Statx_t
	if err := hostfs.Statx(dirfd, "", &st); err != nil {
		return err
	}
	if err := u.replaceForeign(dirfd, e); err != nil {
		return err
	}
	return hostfs.Utimes(dirfd, "", hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime))
}

// replaceForeign hides what lies below by the union's own means first, so that
// nothing ever shows.
func (u *Union) replaceForeign(dirfd int, e *entry) error {
	switch {
	case !e.visible() && !e.whiteout:
		if err := u.placeWhiteout(dirfd, e.name); err != nil {
			return err
		}
		e.whiteout = true
	case e.visible() && e.dtype == dtDir && !e.whiteout:
		if err := u.closeBelow(dirfd, e.name); err != nil {
			return err
		}
	}
	if err := hostfs.Unlink(dirfd, e.foreign()); err != nil {
		return err
	}
	e.own().foreign = ""
	return nil
}

// closeBelow makes upper's directory opaque, unless a redirect says already
// what it merges.
func (u *Union) closeBelow(dirfd int, name string) error {
	marks, err := whiteout.ReadDirMarks(dirfd, name)
	if err != nil || marks.Opaque || marks.HasRedirect {
		return err
	}
	return u.makeOpaque(dirfd, name)
}
