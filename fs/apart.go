package fs

import "unionfs/fs/transport"

// Apart runs do, which uses mounts that this process serves, so that a kill of
// this process ends it also while do waits for an answer of its own. What do
// opens it must close (transport.Apart says why).
func Apart(do func() error) error { return transport.Apart(do) }
