package fs_test

import (
	"testing"

	"unionfs/fs"
	"unionfs/fs/fstest"
	"unionfs/fs/transport"
)

// TestSuiteOverride keeps owners, modes and types in an xattr, as a user with
// one id does.
func TestSuiteOverride(t *testing.T) {
	fstest.Suite(t, mountWith(func(cfg *fs.Config) { cfg.Union.XattrPermissions = 2 }))
}

// cachedMount is a mount in mode C, whoever mounts.
var cachedMount = mountWith(func(cfg *fs.Config) { cfg.Passthrough = fs.PassthroughOff })

// TestSuiteCached: for root, all other tests are of mode P, and all have requests come
// over /dev/fuse.
func TestSuiteCached(t *testing.T) {
	if _, known := transport.UringOffered(); known {
		fstest.NeedUring(t)
	}
	fstest.Suite(t, cachedMount)
	fstest.RandomSequences(t, cachedMount, 20, 60)
}
