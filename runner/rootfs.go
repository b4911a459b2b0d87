package runner

import (
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// inPlace says that what the container writes to its root is written to a
// directory of this machine.
func (c *Container) inPlace() bool {
	return c.Base != "" && !strings.HasSuffix(c.Spec.Rootfs, overRootfs)
}

// checkRootfs finds what would fail at the first start of a container of a
// directory.
func (s *Spec) checkRootfs() error {
	dir := strings.TrimSuffix(s.Rootfs, overRootfs)
	before, option, given := strings.Cut(dir[strings.LastIndexByte(dir, '/')+1:], ":")
	if _, err := os.Lstat(dir); err != nil && given && before != "" {
		return fmt.Errorf("%q isn't known behind the colon: DIR, or DIR%s for a union over it, is expected", option, overRootfs)
	}
	_, err := s.command(&v1.Config{}) // a directory names none
	return err
}

// showInPlace shows a directory's owners as a user namespace has them, where the
// kernel lets us. It doesn't let an ordinary user: the directory then is as it
// is, and must be somebody's in the container.
func (c *Container) showInPlace(root *os.File, ids sandbox.IDMaps) error {
	if initial, _ := readMaps(); initial {
		if err := sandbox.MapIDs(root, ids, true); err != nil {
			return fmt.Errorf("--userns=%s: the files of %s %w: %s", c.Spec.UserMode, c.Base, err, c.unionAdvice())
		}
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &st); err != nil {
		return err
	}
	_, uok := insideID(ids.UIDs, st.Uid)
	_, gok := insideID(ids.GIDs, st.Gid)
	if !uok || !gok {
		return fmt.Errorf("--userns=%s: %s is nobody's in the container, whose ranges of ids lack its owner: %s", c.Spec.UserMode, c.Base, c.unionAdvice())
	}
	return nil
}

func (c *Container) unionAdvice() string {
	return fmt.Sprintf("a union over it (--rootfs %s%s) can show any owners", c.Base, overRootfs)
}

// sync writes back what is cached of a container's root. What is in place is on
// a file system of the machine's, where everybody sees it as it is.
func (c *Container) sync(root int) error {
	if c.inPlace() {
		return nil
	}
	return syncRoot(root)
}
