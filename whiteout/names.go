package whiteout

import "strings"

// Namespace is where the private attributes of a layer are kept.
type Namespace uint8

const (
	// Trusted needs CAP_SYS_ADMIN in the initial user namespace.
	Trusted Namespace = iota
	// User is for everybody, on regular files and directories.
	User
	namespaces
)

func (ns Namespace) String() string {
	if ns == Trusted {
		return "trusted"
	}
	return "user"
}

// Attr is one of the private attributes.
type Attr uint8

const (
	// Those of the kernel: fs/overlayfs/overlayfs.h, enum ovl_xattr.
	Opaque Attr = iota
	Redirect
	Metacopy
	Origin
	Whiteout
	Impure
	Nlink
	Protattr
	// Those of ours. The kernel hides them from its users as it hides all
	// of overlay.*, and otherwise doesn't look at them.

	// UnionOrigin names the lower object that a copy was made of.
	UnionOrigin
	// UnionLinks ties the names of a copied-up hard link together.
	UnionLinks
	// PlainName says of a file .wh.NAME that it is a user's own file. In the
	// user namespace it must be set while the file is writable for us.
	PlainName
	// XWhiteouts says of an opaque directory that xattr whiteouts are in it.
	XWhiteouts
	attrs
)

var attrSuffix = [attrs]string{
	Opaque:      "opaque",
	Redirect:    "redirect",
	Metacopy:    "metacopy",
	Origin:      "origin",
	Whiteout:    "whiteout",
	Impure:      "impure",
	Nlink:       "nlink",
	Protattr:    "protattr",
	UnionOrigin: "unionfs.origin",
	UnionLinks:  "unionfs.links",
	PlainName:   "unionfs.plain",
	XWhiteouts:  "unionfs.xwhiteouts",
}

// attrName is the table that Name reads; it is filled once.
var attrName = func() (t [namespaces][attrs]string) {
	for ns := range t {
		for a, suffix := range attrSuffix {
			t[ns][a] = Namespace(ns).String() + ".overlay." + suffix
		}
	}
	return t
}()

// Name is the attribute's name on disk.
func (ns Namespace) Name(a Attr) string {
	return attrName[ns][a]
}

// fuseOpaque is how fuse-overlayfs marks an opaque directory.
const fuseOpaque = "user.fuseoverlayfs.opaque"

const (
	// AufsPrefix begins the names of the aufs form.
	AufsPrefix = ".wh."
	// AufsOpaque is the file that makes its directory opaque.
	AufsOpaque = ".wh..wh..opq"
	// aufsPrivate begins aufs' own bookkeeping: .wh..wh.aufs, .wh..wh.plnk.
	aufsPrivate = ".wh..wh."
)

// nameMax is NAME_MAX.
const nameMax = 255

// ValidName tells whether a directory can have an entry of this name.
func ValidName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= nameMax &&
		!strings.ContainsAny(name, "/\x00")
}
