package union

import (
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// Where owners are squashed, the own one of a file survives a change of
// something else.
func TestSquashKeepsOwners(t *testing.T) {
	root := uint32(0)
	r := rigUp(t, fstest.Layers{Lower: []string{"file f 0640 text\nxattr f user.containers.override_stat=42:43:0640\n"}}, func(r *rig) {
		r.cfg.XattrPermissions = 2
		r.cfg.SquashUID, r.cfg.SquashGID = &root, &root
	})
	var attr Attr
	f, err := r.u.Lookup(r.u.Root(), "f", &attr)
	r.must(err)
	if attr.Uid != 0 || attr.Gid != 0 {
		t.Errorf("it shows %d:%d, want 0:0", attr.Uid, attr.Gid)
	}
	r.must(r.u.SetAttr(f, &Change{Valid: SetMode, Mode: 0o600}, &attr))
	r.u.Forget(f, 1)
	r.close()
	r.cfg.SquashUID, r.cfg.SquashGID = nil, nil
	r.open()
	_, err = r.u.Lookup(r.u.Root(), "f", &attr)
	r.must(err)
	if attr.Uid != 42 || attr.Gid != 43 || attr.Mode != unix.S_IFREG|0o600 {
		t.Errorf("it belongs to %d:%d with mode %o, want 42:43 and 600", attr.Uid, attr.Gid, attr.Mode)
	}
}
