package runner

import (
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// layerData finds the bytes of a container's files in the layers of its image,
// where they can be shared with a copy: a FUSE mount can't (FICLONE on it is
// EOPNOTSUPP). It knows what is below one place, as long as nothing of the
// container's own is there.
type layerData struct {
	layers []int // open directories, the highest first
	below  string
}

// layerDataBelow answers nil where the layers can't tell.
func (m *monitor) layerDataBelow(place string) *layerData {
	if d := m.c.Driver; d != "union" && d != "overlay" {
		return nil // their roots share by themselves, if at all
	}
	below := strings.TrimPrefix(path.Clean("/"+place), "/")
	first, _, _ := strings.Cut(below, "/")
	// What the container has changed, or moved here, is in its upper directory.
	if _, err := os.Lstat(path.Join(m.c.Upper(), first)); !os.IsNotExist(err) {
		return nil
	}
	l := &layerData{below: below}
	for _, dir := range m.r.lowers(&m.c.Snapshot) {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			l.close()
			return nil
		}
		l.layers = append(l.layers, fd)
	}
	return l
}

func (l *layerData) close() {
	for _, fd := range l.layers {
		unix.Close(fd)
	}
}

// open is a treeCopy's data. The highest layer with the name has the file that
// is seen: one above it that hid it would hide the name too.
func (l *layerData) open(name string, size int64) int {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	}
	for _, dir := range l.layers {
		fd, err := unix.Openat2(dir, path.Join(l.below, name), &how)
		if err == unix.ENOENT || err == unix.ENOTDIR {
			continue
		}
		if err != nil {
			return -1
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != size {
			unix.Close(fd)
			return -1
		}
		return fd
	}
	return -1
}
