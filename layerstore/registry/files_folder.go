package registry

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// folder is a source on disk. os.Root keeps symlinks from leading out of it.
type folder struct{ root *os.Root }

func openFolder(path string) (files, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return folder{root}, nil
}

func (d folder) open(name string) (*entry, error) {
	// A named pipe would block for ever without O_NONBLOCK.
	f, err := d.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", f.Name())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &entry{io.NewSectionReader(f, 0, fi.Size()), f}, nil
}

func (d folder) Close() error { return d.root.Close() }
