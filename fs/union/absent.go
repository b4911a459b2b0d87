package union

import "sync/atomic"

// The kernel asks for some attributes of almost every file: for the capability
// before the first write and at each change of owner, for the ACLs when it
// checks rights or changes the mode. Most files have none, and what is known to
// be absent stays so until somebody sets it, who passes through here.

// absence is a set of attributes that an inode is known not to have. It is
// changed under Inode.mu: bits are set by readers and cleared by the writer.
type absence struct{ bits atomic.Uint32 }

const (
	noCapability uint32 = 1 << iota
	noAccessACL
	noDefaultACL

	noneOfThem = noCapability | noAccessACL | noDefaultACL
)

// absenceOf is the bit of an attribute, 0 for those that aren't asked for often.
func absenceOf(name string) uint32 {
	switch name {
	case xattrCapability:
		return noCapability
	case xattrACLAccess:
		return noAccessACL
	case xattrACLDefault:
		return noDefaultACL
	}
	return 0
}

func (a *absence) knows(bit uint32) bool { return a.bits.Load()&bit != 0 }

func (a *absence) note(bit uint32) {
	if bit != 0 {
		a.bits.Or(bit)
	}
}

func (a *absence) clear(bit uint32) {
	if bit != 0 {
		a.bits.And(^bit)
	}
}
