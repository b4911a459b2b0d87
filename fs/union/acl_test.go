package union

import (
	"encoding/binary"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// acl builds the xattr form from tag, permissions and id of each entry.
func acl(entries ...[3]uint32) []byte {
	value := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		value = binary.LittleEndian.AppendUint16(value, uint16(e[0]))
		value = binary.LittleEndian.AppendUint16(value, uint16(e[1]))
		value = binary.LittleEndian.AppendUint32(value, e[2])
	}
	return value
}

// TestACLMode compares with the host: the mode that an access ACL leads to,
// where owners and modes stand in overrides, is the one the kernel computes.
func TestACLMode(t *testing.T) {
	const none = ^uint32(0)
	for _, value := range [][]byte{
		acl([3]uint32{aclUserObj, 6, none}, [3]uint32{aclGroupObj, 5, none}, [3]uint32{aclOther, 1, none}),
		acl([3]uint32{aclUserObj, 6, none}, [3]uint32{aclUser, 4, 5}, [3]uint32{aclGroupObj, 4, none}, [3]uint32{aclMask, 7, none}, [3]uint32{aclOther, 4, none}),
		acl([3]uint32{aclUserObj, 7, none}, [3]uint32{aclGroupObj, 7, none}, [3]uint32{aclGroup, 6, 5}, [3]uint32{aclMask, 1, none}, [3]uint32{aclOther, 0, none}),
	} {
		r := rigUp(t, fstest.Layers{Lower: []string{"file f 0640"}}, func(r *rig) { r.cfg.XattrPermissions = 2 })
		n := r.get("f")
		r.must(r.u.SetXattr(n, xattrACLAccess, value, 0, false))
		r.put(n)
		host := filepath.Join(t.TempDir(), "host")
		r.must(unix.Mknod(host, unix.S_IFREG|0o640, 0))
		r.must(unix.Setxattr(host, xattrACLAccess, value, 0))
		var want unix.Stat_t
		r.must(unix.Lstat(host, &want))
		if got := r.stat("f").Mode; uint32(got) != want.Mode {
			t.Errorf("ACL %x: mode %o, want %o", value, got, want.Mode)
		}
		r.clean()
	}
}

// TestRemoveAbsentACL succeeds as vfs_remove_acl does, without a copy-up.
func TestRemoveAbsentACL(t *testing.T) {
	r := rigUp(t, fstest.Layers{Lower: []string{"file f\ndir d"}})
	for _, path := range []string{"f", "d"} {
		n := r.get(path)
		for _, name := range []string{xattrACLAccess, xattrACLDefault} {
			r.must(r.u.RemoveXattr(n, name))
		}
		r.want("another attribute", r.u.RemoveXattr(n, "user.none"), unix.ENODATA)
		r.put(n)
	}
	r.wantUpper("", "")
	r.clean()
}
