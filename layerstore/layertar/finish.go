package layertar

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"unionfs/whiteout"
)

// finish gives the directories what they couldn't have while things were made
// in them: marks, owners, modes (which may forbid us to go in), default ACLs
// (which files would inherit) and times. Children come before their parents.
func (u *unpacker) finish() error {
	if err := u.dropAufsLinks(); err != nil {
		return err
	}
	if u.root.attrs == nil {
		u.root.attrs = &attrs{mode: 0o755}
	}
	for i := len(u.all) - 1; i >= 0; i-- {
		if i%256 == 0 && u.ctx.Err() != nil {
			return context.Cause(u.ctx)
		}
		n := u.all[i]
		if n.gone {
			continue
		}
		if err := u.finishDir(n); err != nil {
			return fmt.Errorf("%q in the archive: %w", n.path()+"/", err)
		}
	}
	return nil
}

func (u *unpacker) finishDir(n *node) error {
	if n.opaque {
		fd, err := u.fds.open(n)
		if err != nil {
			return err
		}
		if err := u.o.Codec.MakeOpaque(fd); err != nil {
			return fmt.Errorf("making it opaque: %w", err)
		}
	}
	at := n.parent
	if at == nil {
		at = n
	}
	fd, err := u.fds.open(at)
	if err != nil {
		return err
	}
	return u.disk.adornAs(fd, n.name, n.attrs, unix.S_IFDIR, whiteout.Override{}, dirModeUnknown)
}

// dirModeUnknown has the mode of a directory set in any case: it may have got
// set-gid from above.
const dirModeUnknown = 1 << 16
