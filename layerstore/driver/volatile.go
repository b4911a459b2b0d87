package driver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"unionfs/layerstore"
)

// The kernel's overlayfs marks the workdir of a volatile mount and never takes
// the mark away, since it can't tell whether a crash came after
// (Documentation/filesystems/overlayfs.rst, "Volatile mount"). We can: what was
// written is lost with the machine only, so that a mark of the machine's present
// run says nothing.

const (
	// volatileMark is the kernel's, in the workdir.
	volatileMark = "work/incompat/volatile"
	// volatileRun, in the snapshot's folder, has the boot id of the run in which
	// it was mounted volatile.
	volatileRun = "volatile"
)

// settleVolatile makes a snapshot fit to be mounted, or says why it isn't.
func settleVolatile(n *layerstore.Snapshot, volatile bool) error {
	run, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	note, mark := filepath.Join(n.Dir(), volatileRun), filepath.Join(n.Work(), volatileMark)
	if exists(mark) {
		then, err := os.ReadFile(note)
		if err != nil || strings.TrimSpace(string(then)) != strings.TrimSpace(string(run)) {
			return fmt.Errorf("it was mounted volatile when the machine stopped, so its data may be damaged: remove it, or remove %s to use it all the same", mark)
		}
		if err := os.RemoveAll(mark); err != nil {
			return err
		}
	}
	if !volatile {
		return nil
	}
	return os.WriteFile(note, run, 0o600)
}
