package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// CopyUp brings a file into upper, with its data.
func (u *Union) CopyUp(n *Inode) error { return u.copyUp(n, inUpper, all) }

// InUpper tells whether all of n is in upper, where it stays.
func (u *Union) InUpper(n *Inode) bool { return n.state.Load() == inUpper }

// WithUpperFile calls do with a descriptor (O_PATH) that names the file of an
// inode that is in upper.
func (u *Union) WithUpperFile(n *Inode, do func(fd int) error) error {
	return u.withMeta(n, func(p place) error {
		fd, err := u.spare(func() (int, error) { return openPlace(p, unix.O_PATH) })
		if err != nil {
			return err
		}
		defer hostfs.Close(fd)
		return do(fd)
	})
}
