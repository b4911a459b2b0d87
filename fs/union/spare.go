package union

import (
	"time"

	"golang.org/x/sys/unix"
)

// spareTries is how often an open waits for a descriptor: about a second.
const spareTries = 45

// spare opens something that must not fail for want of a descriptor: the kernel
// would take that for an error of the disk, and what it writes back would be
// lost. The caches give theirs up, and those in use come free with their
// requests.
func (u *Union) spare(open func() (int, error)) (int, error) {
	for i := range spareTries {
		fd, err := open()
		if err != unix.EMFILE && err != unix.ENFILE {
			return fd, err
		}
		u.dirs.halve()
		u.files.halve()
		time.Sleep(time.Duration(i) * time.Millisecond)
	}
	return open()
}
