package driver

import "unionfs/fs"

// Apart runs do, which uses mounts of snapshots, so that a kill of this process
// ends it also where this process serves them (fs.Apart).
func Apart(do func() error) error { return fs.Apart(do) }

// Settle waits until what was synced through mounts that this process serves is
// in their uppers (fs.Settle).
func Settle() { fs.Settle() }
