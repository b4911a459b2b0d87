package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// This file holds the ways in which a name in upper changes hands: each is one
// rename or link as seen from the union, so that a crash leaves the name
// either as it was or as it shall be.

// publishNew gives a staged object its name, over the whiteout that e says is
// there.
func (u *Union) publishNew(dirfd int, tmp, name string, isDir bool, e *entry) error {
	stage := u.work.stage.fd
	if e == nil || !e.whiteout {
		return u.renameFree(stage, tmp, dirfd, name)
	}
	if u.sidecar(name) {
		// The whiteout stays beside the object: what it hides must not show
		// through a directory, which therefore is opaque.
		return u.renameFree(stage, tmp, dirfd, name)
	}
	if !isDir {
		return hostfs.Rename(stage, tmp, dirfd, name, 0)
	}
	return u.swapWhiteout(stage, tmp, dirfd, name)
}

// sidecar tells whether upper's whiteouts stand beside the names they hide.
func (u *Union) sidecar(name string) bool { return u.codec.MarkName(name) != name }

// renameFree renames to a name that the table says is free.
func (u *Union) renameFree(olddir int, old string, newdir int, name string) error {
	err := hostfs.Rename(olddir, old, newdir, name, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL {
		err = hostfs.Rename(olddir, old, newdir, name, 0)
	}
	return err
}

// swapWhiteout puts a staged directory where a whiteout stands; a directory
// can't be renamed over one.
func (u *Union) swapWhiteout(stage int, tmp string, dirfd int, name string) error {
	err := hostfs.Rename(stage, tmp, dirfd, name, unix.RENAME_EXCHANGE)
	if err == nil {
		u.removeStaged(tmp)
		return nil
	}
	if err != unix.EINVAL {
		return err
	}
	// Without exchange the name shows the lower object for an instant.
	if err := hostfs.Unlink(dirfd, name); err != nil {
		return err
	}
	return hostfs.Rename(stage, tmp, dirfd, name, 0)
}

// placeWhiteout hides a lower name for which upper has nothing. Whiteouts of
// the device form are links of one inode, as in the kernel (ovl_whiteout).
func (u *Union) placeWhiteout(dirfd int, name string) error {
	if u.codec.Format() != whiteout.FormatOverlay {
		return u.codec.Make(dirfd, name)
	}
	if blank, err := u.work.blankWhiteout(u.codec, false); err == nil {
		err := hostfs.Link(u.work.stage.fd, blank, dirfd, name)
		if err == nil || err == unix.EEXIST {
			return err
		}
		if err == unix.EMLINK {
			_, _ = u.work.blankWhiteout(u.codec, true)
		}
	}
	return u.codec.Make(dirfd, name)
}

// blankWhiteout answers the staged whiteout, a new one when asked for.
func (w *work) blankWhiteout(codec whiteout.Codec, renew bool) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.blank != "" && !renew {
		return w.blank, nil
	}
	if w.blank != "" {
		_ = hostfs.Unlink(w.stage.fd, w.blank)
	}
	name := w.name()
	if err := codec.Make(w.stage.fd, name); err != nil {
		w.blank = ""
		return "", err
	}
	w.blank = name
	return name, nil
}

// takeAway moves upper's object from its name into work, under the answered
// name, and leaves a whiteout when the name would show a lower object.
func (u *Union) takeAway(dirfd int, e *entry) (orphan string, err error) {
	stage := u.work.stage.fd
	orphan = u.work.name()
	if !e.hasLower {
		return orphan, hostfs.Rename(dirfd, e.name, stage, orphan, 0)
	}
	if u.sidecar(e.name) {
		if !e.whiteout {
			if err := u.codec.Make(dirfd, e.name); err != nil && err != unix.EEXIST {
				return "", err
			}
		}
		return orphan, hostfs.Rename(dirfd, e.name, stage, orphan, 0)
	}
	if u.whiteoutRenames() {
		return orphan, hostfs.Rename(dirfd, e.name, stage, orphan, unix.RENAME_WHITEOUT)
	}
	if err := whiteout.Announce(u.codec, dirfd); err != nil {
		return "", err
	}
	if err := u.codec.Make(stage, orphan); err != nil {
		return "", err
	}
	if err := hostfs.Rename(stage, orphan, dirfd, e.name, unix.RENAME_EXCHANGE); err != nil {
		u.removeStaged(orphan)
		return "", err
	}
	return orphan, nil
}

// whiteoutRenames tells whether RENAME_WHITEOUT leaves upper's own form.
func (u *Union) whiteoutRenames() bool {
	return u.caps.RenameWhiteout && u.codec.Format() == whiteout.FormatOverlay
}
