package registry

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"
)

// outlet takes the files of what is saved, each name once.
type outlet interface {
	// add writes a file of exactly size bytes.
	add(name string, size int64, write func(io.Writer) error) error
}

// tarOutlet writes a tar in which only names and bytes differ.
type tarOutlet struct {
	w       *tar.Writer
	folders map[string]bool
}

func writeTar(w io.Writer, write func(outlet) error) error {
	t := tarOutlet{tar.NewWriter(w), map[string]bool{".": true}}
	if err := write(t); err != nil {
		return err
	}
	return t.w.Close()
}

// folder writes a folder before what is in it: containers/image, when an
// ordinary user runs it, can't unpack a tar that leaves folders out.
func (t tarOutlet) folder(name string) error {
	if t.folders[name] {
		return nil
	}
	t.folders[name] = true
	if err := t.folder(path.Dir(name)); err != nil {
		return err
	}
	return t.w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	})
}

func (t tarOutlet) add(name string, size int64, write func(io.Writer) error) error {
	if err := t.folder(path.Dir(name)); err != nil {
		return err
	}
	err := t.w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	})
	if err != nil {
		return err
	}
	return write(t.w)
}

// folderOutlet writes files into a folder of its own.
type folderOutlet struct{ dir string }

func (d *folderOutlet) add(name string, size int64, write func(io.Writer) error) error {
	full := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = write(f)
	if fi, serr := f.Stat(); err == nil && serr == nil && fi.Size() != size {
		err = fmt.Errorf("%s has %d bytes instead of %d", name, fi.Size(), size)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
