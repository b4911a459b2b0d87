package whiteout

// Announce readies the directory dirfd for whiteouts that will be renamed into
// it, as Make does for those it makes there.
func Announce(c Codec, dirfd int) error {
	if x, ok := c.(xattrForm); ok {
		return x.announce(dirfd)
	}
	return nil
}
