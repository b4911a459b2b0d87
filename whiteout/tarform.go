package whiteout

import "strings"

// tarForm is the aufs form in an archive: OCI image-spec, layer.md, "Whiteouts".
// There the name alone decides, as docker, podman, containerd and umoci have it:
// old archives have marks that are hard links to .wh..wh.aufs, or that aren't empty.
type tarForm struct{ aufs }

func (tarForm) Format() Format { return FormatTar }

func (tarForm) Decode(e Entry) (Mark, bool) {
	return decodeAufsName(e.Name)
}

// IsBookkeeping tells of a name in an archive whether it is aufs' own, which is
// neither a mark nor a file (Docker's unpack drops them too).
func IsBookkeeping(name string) bool {
	return strings.HasPrefix(name, aufsPrivate) && name != AufsOpaque
}
