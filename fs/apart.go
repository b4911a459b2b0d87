package fs

import (
	"time"

	"unionfs/fs/transport"
)

// Apart runs do, which uses mounts that this process serves, so that a kill of
// this process ends it also while do waits for an answer of its own. What do
// opens it must close (transport.Apart says why).
func Apart(do func() error) error { return transport.Apart(do) }

// Settle waits until nothing is left to be served, so that what syncfs(2) began
// to write back is in upper.
func Settle() { transport.Settle(settlePatience) }

// settlePatience bounds the wait beside somebody who goes on writing.
const settlePatience = 10 * time.Second
