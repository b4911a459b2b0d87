package union

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// The form of a POSIX ACL in an xattr, from include/uapi/linux/posix_acl.h and
// posix_acl_xattr.h: a version word and entries of tag, permissions and id.
const (
	aclVersion    = 2
	aclHeader     = 4
	aclEntry      = 8
	aclUserObj    = 0x01
	aclUser       = 0x02
	aclGroupObj   = 0x04
	aclGroup      = 0x08
	aclMask       = 0x10
	aclOther      = 0x20
	aclPermission = 7
)

// aclEntries calls each with every entry of an ACL that is well-formed.
func aclEntries(value []byte, each func(tag, perm uint16, entry []byte)) bool {
	if len(value) < aclHeader || (len(value)-aclHeader)%aclEntry != 0 ||
		binary.LittleEndian.Uint32(value) != aclVersion {
		return false
	}
	for e := value[aclHeader:]; len(e) > 0; e = e[aclEntry:] {
		each(binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint16(e[2:]), e[:aclEntry])
	}
	return true
}

// mapACL replaces the ids of named users and groups. It answers false for an
// ACL that is malformed or names an id without a mapping.
func mapACL(value []byte, uid, gid func(uint32) (uint32, bool)) bool {
	good := true
	wellFormed := aclEntries(value, func(tag, _ uint16, e []byte) {
		conv := uid
		switch tag {
		case aclUser:
		case aclGroup:
			conv = gid
		default:
			return
		}
		id, ok := conv(binary.LittleEndian.Uint32(e[4:]))
		good = good && ok
		binary.LittleEndian.PutUint32(e[4:], id)
	})
	return wellFormed && good
}

// aclMode is the mode an access ACL stands for, in which the mask speaks for
// the group (posix_acl_equiv_mode); extended says that the ACL says more than a
// mode can.
func aclMode(value []byte) (mode uint32, extended, ok bool) {
	var mask *uint32
	ok = aclEntries(value, func(tag, perm uint16, _ []byte) {
		p := uint32(perm & aclPermission)
		switch tag {
		case aclUserObj:
			mode |= p << 6
		case aclGroupObj:
			mode |= p << 3
		case aclOther:
			mode |= p
		case aclMask:
			mask, extended = &p, true
		default:
			extended = true
		}
	})
	if mask != nil {
		mode = mode&^0o070 | *mask<<3
	}
	return mode, extended, ok
}

// inheritACL makes a new object's access ACL from its directory's default
// ACL: each class gets no more than the mode asked for (posix_acl_create_masq).
// It answers the mode that results; access is nil when the mode says all.
func inheritACL(def []byte, mode uint32) (access []byte, perm uint32, ok bool) {
	access = append([]byte(nil), def...)
	perm = mode &^ 0o777
	var group, mask []byte
	extended := false
	limit := func(e []byte, class uint32) {
		p := uint32(binary.LittleEndian.Uint16(e[2:])) & class & aclPermission
		binary.LittleEndian.PutUint16(e[2:], uint16(p))
	}
	bits := func(e []byte) uint32 { return uint32(binary.LittleEndian.Uint16(e[2:])) & aclPermission }
	ok = aclEntries(access, func(tag, _ uint16, e []byte) {
		switch tag {
		case aclUserObj:
			limit(e, mode>>6)
			perm |= bits(e) << 6
		case aclGroupObj:
			group = e
		case aclMask:
			mask, extended = e, true
		case aclOther:
			limit(e, mode)
			perm |= bits(e)
		default:
			extended = true
		}
	})
	class := mask
	if class == nil {
		class = group
	}
	if !ok || class == nil {
		return nil, 0, false
	}
	limit(class, mode>>3)
	perm |= bits(class) << 3
	if !extended {
		access = nil
	}
	return access, perm, true
}

// mapped tells whether ids differ between layers and mount.
func (m *ids) mapped() bool { return len(m.uids) > 0 || len(m.gids) > 0 }

func (m *ids) showUID(id uint32) (uint32, bool) { return toMount(m.uids, id), true }
func (m *ids) showGID(id uint32) (uint32, bool) { return toMount(m.gids, id), true }
func (m *ids) hostUID(id uint32) (uint32, bool) { return toHost(m.uids, id) }
func (m *ids) hostGID(id uint32) (uint32, bool) { return toHost(m.gids, id) }

// inheritance is what a directory hands down to what is made in it.
type inheritance struct {
	setgid bool
	gid    uint32 // of the mount
	def    []byte // default ACL as on disk, or nil
}

// inheritanceOf reads it once for each directory; the caller holds d.mu for
// writing. d is in upper.
func (u *Union) inheritanceOf(n *Inode, dirfd int) (*inheritance, error) {
	if n.dir.inherit != nil {
		return n.dir.inherit, nil
	}
	var st Attr
	if err := u.statPlace(place{h: &handle{fd: dirfd}}, &st); err != nil {
		return nil, err
	}
	i := &inheritance{setgid: st.Mode&unix.S_ISGID != 0, gid: st.Gid}
	if !u.cfg.NoACL && !u.cfg.NoXattrs {
		def, err := u.defaultACL(dirfd)
		if err != nil {
			return nil, err
		}
		i.def = def
	}
	n.dir.inherit = i
	return i, nil
}

func (u *Union) defaultACL(dirfd int) ([]byte, error) {
	name := xattrACLDefault
	if u.ids.isolates(name) {
		name = isolated(name)
	}
	def, err := hostfs.GetxattrAll(dirfd, "", name)
	if err == unix.ENODATA || err == unix.EOPNOTSUPP {
		return nil, nil
	}
	return def, err
}

// aclChmod does to an access ACL what chmod does (__posix_acl_chmod_masq).
func aclChmod(value []byte, mode uint32) bool {
	var group, mask []byte
	ok := aclEntries(value, func(tag, _ uint16, e []byte) {
		switch tag {
		case aclUserObj:
			binary.LittleEndian.PutUint16(e[2:], uint16(mode>>6&aclPermission))
		case aclGroupObj:
			group = e
		case aclMask:
			mask = e
		case aclOther:
			binary.LittleEndian.PutUint16(e[2:], uint16(mode&aclPermission))
		}
	})
	if mask != nil {
		group = mask
	}
	if group != nil {
		binary.LittleEndian.PutUint16(group[2:], uint16(mode>>3&aclPermission))
	}
	return ok && group != nil
}
