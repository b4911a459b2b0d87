package runner

import (
	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// actAsRootOf has the calling thread, which ends with what it does, make files as
// root of the ids, if there are any: nobody else can in mounts that are id-mapped to
// them (EOVERFLOW, mount_setattr(2)). It keeps its capabilities.
func actAsRootOf(ids sandbox.IDMaps) error {
	uid, ok := outsideID(ids.UIDs, 0)
	gid, gok := outsideID(ids.GIDs, 0)
	if len(ids.UIDs) == 0 || !ok || !gok {
		return nil
	}
	if err := unix.Setfsgid(int(gid)); err != nil {
		return err
	}
	if err := unix.Setfsuid(int(uid)); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		return err
	}
	for i := range caps { // who stops being 0 loses those about files (capabilities(7))
		caps[i].Effective = caps[i].Permitted
	}
	return unix.Capset(&header, &caps[0])
}
