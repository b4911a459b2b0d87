package union

import (
	"fmt"

	"golang.org/x/sys/unix"

	"unionfs/whiteout"
)

// probe finds out what upper's file system can do, by doing it in work, and
// says what works less well than asked for.
func (u *Union) probe(w *work, path string) error {
	codec, caps, err := whiteout.Probe(w.stage.fd, u.cfg.UserXattr)
	if err == unix.EROFS {
		return fmt.Errorf("workdir=%s: it is on a read-only file system", path)
	}
	if err != nil {
		return fmt.Errorf("workdir=%s: can't be written: %w", path, err)
	}
	u.codec, u.caps = codec, caps
	if !caps.Xattrs {
		u.warn("upperdir=" + u.cfg.Upper + ": its file system keeps no extended attributes: directories of lower layers can't be renamed, and every copy-up carries its data")
		if u.cfg.XattrPermissions > 0 {
			return fmt.Errorf("xattr_permissions=%d: the file system of upperdir=%s keeps no extended attributes", u.cfg.XattrPermissions, u.cfg.Upper)
		}
	}
	return nil
}
