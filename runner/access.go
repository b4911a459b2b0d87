package runner

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Who has no privilege on the machine has other numbers in a container than
// outside, and files of neither are nobody's there. The kernel says "Permission
// denied" and no more; this is the rest.

// accessAdvice is what may help against a refused access.
func (m *monitor) accessAdvice(mount *Mount, err error) string {
	switch {
	case mount.IDMap != "" && !m.facts.InitialUserNS:
		return " (id-mapped mounts take the machine's own root: leave idmap out, and use U, or --userns=keep-id)"
	case mount.IDMap != "":
		return ""
	case mount.Chown && !m.facts.InitialUserNS:
		return " (U gives away only what is owned by the ids of this user namespace: change the owners as root, or leave U out)"
	case mount.Type == VolumeMount && !m.facts.InitialUserNS && errors.Is(err, unix.EPERM):
		return " (for an ordinary user the kernel mounts tmpfs, overlay and directories alone: run this as root)"
	case !m.facts.InitialUserNS:
		return " (this user may not use it: change its mode or owner, or as root use idmap)"
	}
	return ""
}

// hintOfAccess keeps what to say about a place that the container's user can't
// use as it was asked for. The program is told EACCES alone, and may have no need
// to go there: the hint is given when it fails.
func (m *monitor) hintOfAccess(mount *Mount, place string) {
	if m.facts.InitialUserNS || mount.Chown || mount.Overlay || mount.IDMap != "" {
		return
	}
	verb, how := "write", uint32(unix.W_OK)
	if mount.ReadOnly {
		verb, how = "read", unix.R_OK
	}
	if m.mayUse(place, how) {
		return
	}
	var st unix.Stat_t
	if unix.Stat(place, &st) != nil {
		return
	}
	m.hints = append(m.hints, fmt.Sprintf("%s: user %d of the container can't %s there: it is owned by %d:%d with mode %04o (%s)",
		mount.title(), m.plan.Process.UID, verb, st.Uid, st.Gid, st.Mode&0o7777, m.ownerAdvice()))
}

func (m *monitor) ownerAdvice() string {
	if m.plan.Process.UID == 0 {
		return "its owner is nobody in this user namespace: change its mode or owner, or run this as root with idmap"
	}
	return "U gives it to that user, --userns=keep-id runs the container as you, and idmap, for root, shows other owners"
}

// mayUse tells whether the container's user may read or write a place.
func (m *monitor) mayUse(place string, how uint32) bool {
	uid, gid, err := m.hostUser()
	if err != nil {
		return true // who can tell
	}
	if uid == 0 {
		return unix.Faccessat(unix.AT_FDCWD, place, how, unix.AT_EACCESS) != unix.EACCES
	}
	groups := []uint32{gid}
	for _, g := range m.plan.Process.Groups {
		if g, ok := outsideID(m.plan.IDMaps.GIDs, g); ok {
			groups = append(groups, g)
		}
	}
	var st unix.Stat_t
	if unix.Stat(place, &st) != nil || hasACL(place) {
		return true
	}
	return mayByMode(&st, uid, groups, how)
}

// mayByMode is what the mode says (path_resolution(7), "Permissions").
func mayByMode(st *unix.Stat_t, uid uint32, groups []uint32, how uint32) bool {
	switch {
	case st.Uid == uid:
		how <<= 6
	case slices.Contains(groups, st.Gid):
		how <<= 3
	}
	return st.Mode&how == how
}

// hasACL tells that the mode isn't all that decides.
func hasACL(place string) bool {
	n, err := unix.Getxattr(place, "system.posix_acl_access", nil)
	return err == nil && n > 0
}
