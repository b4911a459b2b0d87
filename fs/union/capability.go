package union

import "encoding/binary"

// Capabilities of a file may name the root of the user namespace for which they
// are (struct vfs_ns_cap_data in linux/capability.h; revision 3). The kernel puts
// that in when a process of such a namespace sets them; as the layers have ids
// there is but the one root, and nobody is named (revision 2).

const (
	capRevision2, capRevision3 = 0x02000000, 0x03000000
	capRevision                = 0xff000000
	capSize2, capSize3         = 20, 24
)

// hostCapability is a value of security.capability with the layers' id of the
// root that it names.
func (m *ids) hostCapability(value []byte) ([]byte, bool) {
	if len(value) != capSize3 || binary.LittleEndian.Uint32(value)&capRevision != capRevision3 {
		return value, true
	}
	root, ok := toHost(m.uids, binary.LittleEndian.Uint32(value[capSize2:]))
	if !ok {
		return nil, false
	}
	out := append([]byte(nil), value...)
	binary.LittleEndian.PutUint32(out[capSize2:], root)
	if root == 0 {
		magic := binary.LittleEndian.Uint32(out)
		binary.LittleEndian.PutUint32(out, magic&^capRevision|capRevision2)
		out = out[:capSize2]
	}
	return out, true
}
