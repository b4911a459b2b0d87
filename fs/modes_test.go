package fs_test

import (
	"testing"

	"unionfs/fs"
	"unionfs/fs/fstest"
)

// TestSuiteOverride keeps owners, modes and types in an xattr, as a user with
// one id does.
func TestSuiteOverride(t *testing.T) {
	fstest.Suite(t, mountWith(func(cfg *fs.Config) { cfg.Union.XattrPermissions = 2 }))
}
