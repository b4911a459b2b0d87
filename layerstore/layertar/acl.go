package layertar

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The binary form of POSIX ACLs: include/uapi/linux/posix_acl_xattr.h.
const (
	aclVersion = 2
	aclNoID    = ^uint32(0)

	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

type aclEntry struct {
	tag, perm uint16
	id        uint32
}

// parseACL reads the text form that star, GNU tar and bsdtar write:
// "user::rw-,user:1000:r--,group::r--,mask::r--,other::---", where a named
// entry may have its number behind the permissions.
func parseACL(text string) ([]byte, error) {
	var list []aclEntry
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		word, _, _ = strings.Cut(strings.TrimSpace(word), "#")
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		e, err := parseACLEntry(strings.Split(word, ":"))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", word, err)
		}
		list = append(list, e)
	}
	// The kernel wants them sorted (posix_acl_valid).
	slices.SortFunc(list, func(a, b aclEntry) int {
		if a.tag != b.tag {
			return int(a.tag) - int(b.tag)
		}
		if a.id < b.id {
			return -1
		}
		return 1
	})
	out := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range list {
		out = binary.LittleEndian.AppendUint16(out, e.tag)
		out = binary.LittleEndian.AppendUint16(out, e.perm)
		out = binary.LittleEndian.AppendUint32(out, e.id)
	}
	return out, nil
}

func parseACLEntry(f []string) (aclEntry, error) {
	if len(f) == 2 { // "other:r--", as Solaris writes
		f = []string{f[0], "", f[1]}
	}
	if len(f) < 3 {
		return aclEntry{}, fmt.Errorf("it has %d parts of 3", len(f))
	}
	e := aclEntry{id: aclNoID}
	named := f[1] != ""
	switch f[0] {
	case "user", "u":
		e.tag = aclUserObj
		if named {
			e.tag = aclUser
		}
	case "group", "g":
		e.tag = aclGroupObj
		if named {
			e.tag = aclGroup
		}
	case "mask", "m":
		e.tag = aclMask
	case "other", "o":
		e.tag = aclOther
	default:
		return e, fmt.Errorf("%q is neither user, group, mask nor other", f[0])
	}
	if e.tag == aclUser || e.tag == aclGroup {
		number := f[1]
		if len(f) > 3 && f[3] != "" {
			number = f[3]
		}
		id, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return e, fmt.Errorf("%q is no number, and names of other machines mean nothing here", number)
		}
		e.id = uint32(id)
	}
	for _, c := range f[2] {
		switch c {
		case 'r':
			e.perm |= 4
		case 'w':
			e.perm |= 2
		case 'x':
			e.perm |= 1
		case '-':
		default:
			return e, fmt.Errorf("%q are no permissions", f[2])
		}
	}
	return e, nil
}
