package layertar

// item is one entry of the archive to be.
type item struct {
	path string // in the archive, "" for the root
	mark markKind
	src  place
	data place // of a file, which may be in a layer below src
	// same is the inode of a file that has several names.
	same inode
	// covers says of a socket that it hides something.
	covers bool
}

type markKind uint8

const (
	noMark       markKind = iota
	opaqueMark            // of the directory path
	whiteoutMark          // path is what it hides
)

// inode tells files apart: layers may share a file system, but never a file.
type inode struct {
	major, minor uint32
	ino          uint64
}

// compare puts parents before their children, and the opaque mark of a
// directory right behind it.
func (a *item) compare(b *item) int {
	if c := comparePaths(a.path, b.path); c != 0 {
		return c
	}
	return int(a.mark) - int(b.mark)
}

// comparePaths orders by names from the root on, so that what is in a directory
// stays together.
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		if a[i] == '/' {
			return -1
		}
		if b[i] == '/' {
			return 1
		}
		return int(a[i]) - int(b[i])
	}
	return len(a) - len(b)
}
