package registry

import (
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
)

// files are what a source holds, by clean relative names.
type files interface {
	// open opens a regular file; fs.ErrNotExist when there is none.
	open(name string) (*entry, error)
	io.Closer
}

// entry is an open file in a source.
type entry struct {
	*io.SectionReader
	io.Closer
}

// nothing is for entries whose file is the whole archive's.
var nothing io.Closer = io.NopCloser(nil)

// clean makes a name in an archive a plain one. A name that leads out of the
// archive is no mistake but an attack.
func clean(name string) (string, error) {
	c := path.Clean(name)
	if path.IsAbs(name) || !filepath.IsLocal(filepath.FromSlash(c)) || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("the name %q leads out of the archive", name)
	}
	return c, nil
}

// readFile reads a small file of a source.
func readFile(from files, name string, limit int64) ([]byte, error) {
	c, err := clean(name)
	if err != nil {
		return nil, err
	}
	f, err := from.open(c)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are taken", name, f.Size(), limit)
	}
	return readLimited(name, f, limit)
}
