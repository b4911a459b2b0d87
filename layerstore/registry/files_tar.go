package registry

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// tape is an uncompressed tar whose files are found by their place in it.
type tape struct {
	f     *os.File
	spans map[string]span
	links map[string]string // symlinks and hard links, to clean names
}

type span struct{ offset, size int64 }

// What a tar of images may hold, and how long a chain of links may be.
const (
	maxFiles = 1 << 20
	maxLinks = 8
)

// indexTar reads a tar's headers. The file is closed by the tape, or here when
// it is no good.
func indexTar(f *os.File) (files, error) {
	t := &tape{f: f, spans: map[string]span{}, links: map[string]string{}}
	if err := t.index(); err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func (t *tape) index() error {
	if _, err := t.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := tar.NewReader(t.f)
	for n := 0; ; n++ {
		h, err := r.Next()
		switch {
		case err == io.EOF && n == 0:
			return errors.New("it is empty")
		case err == io.EOF:
			return nil
		case errors.Is(err, tar.ErrHeader) && n == 0:
			return errors.New("it is no tar archive")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("it is cut off: its end is missing")
		case err != nil:
			return fmt.Errorf("its tar is damaged: %w", err)
		case n == maxFiles:
			return fmt.Errorf("it has more than %d files", maxFiles)
		}
		if err := t.add(h); err != nil {
			return err
		}
	}
}

// add notes one file. The reader reads no further than headers, so that the
// file stands where the data begins.
func (t *tape) add(h *tar.Header) error {
	name, err := clean(h.Name)
	if err != nil {
		return err
	}
	delete(t.links, name) // the last one of a name counts
	delete(t.spans, name)
	switch h.Typeflag {
	case tar.TypeReg:
		for key := range h.PAXRecords {
			if strings.HasPrefix(key, "GNU.sparse.") {
				return fmt.Errorf("%s is stored as a sparse file: make the archive without that", name)
			}
		}
		offset, err := t.f.Seek(0, io.SeekCurrent)
		t.spans[name] = span{offset, h.Size}
		return err
	case tar.TypeSymlink:
		return t.link(name, path.Join(path.Dir(name), h.Linkname), path.IsAbs(h.Linkname), h.Linkname)
	case tar.TypeLink:
		return t.link(name, h.Linkname, false, h.Linkname)
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	}
	return fmt.Errorf("%s is neither file, folder nor link (type %q)", name, h.Typeflag)
}

func (t *tape) link(name, target string, absolute bool, said string) error {
	to, err := clean(target)
	if err != nil || absolute {
		return fmt.Errorf("the link %s to %q leads out of the archive", name, said)
	}
	t.links[name] = to
	return nil
}

func (t *tape) open(name string) (*entry, error) {
	for range maxLinks {
		if s, ok := t.spans[name]; ok {
			return &entry{io.NewSectionReader(t.f, s.offset, s.size), nothing}, nil
		}
		to, ok := t.links[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		name = to
	}
	return nil, fmt.Errorf("%s is a link to a link, and so on", name)
}

func (t *tape) Close() error { return t.f.Close() }
