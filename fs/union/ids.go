package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// ids turns owners of the layers into owners of the mount and back: as they
// are, by ranges, squashed to one, or from user.containers.override_stat.
type ids struct {
	uids, gids           []IDRange
	squashUID, squashGID *uint32
	// overrides says that owner, mode and type stand in an xattr, so that no
	// privilege is needed to change them.
	overrides bool
	// euid and egid are this process, which owns what it creates.
	euid, egid uint32
}

// overflowID is what an id without a mapping shows as (/proc/sys/kernel/overflowuid).
const overflowID = 65534

const keepID = ^uint32(0)

func newIDs(cfg Config, u *Union) ids {
	return ids{
		uids: cfg.UIDMap, gids: cfg.GIDMap,
		squashUID: cfg.SquashUID, squashGID: cfg.SquashGID,
		overrides: cfg.XattrPermissions > 0,
		euid:      uint32(unix.Geteuid()), egid: uint32(unix.Getegid()),
	}
}

func toMount(ranges []IDRange, id uint32) uint32 {
	if len(ranges) == 0 {
		return id
	}
	for _, r := range ranges {
		if id >= r.Host && id-r.Host < r.Count {
			return r.Container + (id - r.Host)
		}
	}
	return overflowID
}

func toHost(ranges []IDRange, id uint32) (uint32, bool) {
	if len(ranges) == 0 || id == keepID {
		return id, true
	}
	for _, r := range ranges {
		if id >= r.Container && id-r.Container < r.Count {
			return r.Host + (id - r.Container), true
		}
	}
	return 0, false
}

// host turns an owner of the mount into one of the layers. An id that has no
// mapping is EINVAL, as chown(2) in a user namespace says.
func (m *ids) host(uid, gid uint32) (uint32, uint32, error) {
	hu, ok := toHost(m.uids, uid)
	if !ok {
		return 0, 0, unix.EINVAL
	}
	hg, ok := toHost(m.gids, gid)
	if !ok {
		return 0, 0, unix.EINVAL
	}
	return hu, hg, nil
}

// creator is the host's owner of what uid and gid create. An id that has no
// mapping becomes nobody, which it shows as: podman's root furnishes mounts of
// other ids, and chowns afterwards.
func (m *ids) creator(uid, gid uint32) (hu, hg uint32) {
	hu, hg = overflowID, overflowID
	if id, ok := toHost(m.uids, uid); ok {
		hu = id
	}
	if id, ok := toHost(m.gids, gid); ok {
		hg = id
	}
	return hu, hg
}

// show turns a stat of the host, of the object name in dirfd, into the mount's.
func (m *ids) show(dirfd int, name string, st *Attr) error {
	if err := m.own(dirfd, name, st); err != nil {
		return err
	}
	return m.squash(st)
}

// own is show without squashing: who owns the object, whatever the mount shows.
func (m *ids) own(dirfd int, name string, st *Attr) error {
	overridden := false
	if m.overrides {
		o, ok, err := readOverride(dirfd, name, st)
		if err != nil {
			return err
		}
		if overridden = ok; ok {
			applyOverride(st, o)
		}
	}
	m.mapOwner(st, overridden)
	return nil
}

// shown maps and squashes the owner of a stat that no override has spoken for.
func (m *ids) shown(st *Attr, overridden bool) error {
	m.mapOwner(st, overridden)
	return m.squash(st)
}

func (m *ids) mapOwner(st *Attr, overridden bool) {
	if !overridden {
		st.Uid, st.Gid = toMount(m.uids, st.Uid), toMount(m.gids, st.Gid)
	}
}

func (m *ids) squash(st *Attr) error {
	if m.squashUID != nil {
		st.Uid = *m.squashUID
	}
	if m.squashGID != nil {
		st.Gid = *m.squashGID
	}
	return nil
}

// copyOwner gives a staged copy the owner of its source. Its mode follows with
// copyMode, because a mode without write permission keeps even an owner
// without privilege from setting extended attributes (xattr(7)).
func (m *ids) copyOwner(src place, st *unix.Statx_t, dirfd int, name string) error {
	if !m.overrides {
		return m.chown(dirfd, name, st.Uid, st.Gid)
	}
	shown := *st
	if err := m.own(src.h.fd, src.name, &shown); err != nil {
		return err
	}
	return m.setOverride(dirfd, name, &shown)
}

// copyMode gives a staged copy the mode of its source.
func (m *ids) copyMode(st *unix.Statx_t, dirfd int, name string) error {
	if m.overrides || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil
	}
	return hostfs.Chmod(dirfd, name, uint32(st.Mode)&0o7777)
}

// chown changes a host owner. Where owners are squashed the host's doesn't
// matter, so a refusal doesn't either.
func (m *ids) chown(dirfd int, name string, uid, gid uint32) error {
	err := hostfs.Chown(dirfd, name, uid, gid)
	if err == unix.EPERM && m.squashUID != nil {
		return nil
	}
	return err
}

// mknod makes a special file, or a plain file that will be shown as one.
func (m *ids) mknod(dirfd int, name string, mode uint32, rdev uint64) error {
	if m.overrides {
		mode, rdev = unix.S_IFREG|0o600, 0
	}
	return hostfs.Mknod(dirfd, name, mode, rdev)
}

// makeSymlink makes a symlink in the stage. Where the owner must stand in an
// xattr, which a symlink can't carry, the target goes into a plain file that
// copyOwner then marks; readlinkPlace reads both.
func (u *Union) makeSymlink(dirfd int, name, target string) error {
	if !u.ids.overrides {
		return hostfs.Symlink(target, dirfd, name)
	}
	fd, err := hostfs.Open(dirfd, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	_, err = hostfs.Pwrite(fd, []byte(target), 0)
	return err
}

func (u *Union) readlinkPlace(p place) (string, error) {
	target, err := hostfs.Readlink(p.h.fd, p.name)
	if err != unix.EINVAL || !u.ids.overrides {
		return target, err
	}
	fd, err := hostfs.Open(p.h.fd, p.name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer hostfs.Close(fd)
	buf := make([]byte, unix.PathMax)
	n, err := hostfs.Pread(fd, buf, 0)
	return string(buf[:n]), err
}

// Readlink answers a symlink's target.
func (u *Union) Readlink(n *Inode) (target string, err error) {
	if n.typ != unix.S_IFLNK {
		return "", unix.EINVAL
	}
	err = u.withLook(n, func(p place) error {
		if !p.known {
			target, err = u.readlinkPlace(p)
			return err
		}
		if target = string(p.entry.Target()); target != "" {
			return nil
		}
		// A symlink that stands in a plain file.
		return u.withMetaLocked(n, func(p place) error {
			target, err = u.readlinkPlace(p)
			return err
		})
	})
	return target, err
}
