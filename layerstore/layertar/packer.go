package layertar

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// packer writes entries.
type packer struct {
	ctx   context.Context
	tw    *tar.Writer
	s     *stack
	first map[inode]string // the name that has the data
	buf   []byte
}

func (p *packer) write(it *item) error {
	if it.mark != noMark {
		return p.writeMark(it)
	}
	if _, name := splitPath(it.path); strings.HasPrefix(name, whiteout.AufsPrefix) {
		return &NameError{"/" + it.path, `a layer archive takes names that begin with ".wh." for whiteouts: rename or remove the file`}
	}
	if err := p.writeFile(it); err != nil {
		var name *NameError
		if errors.As(err, &name) {
			return err
		}
		return fmt.Errorf("packing /%s: %w", it.path, err)
	}
	return nil
}

// writeMark writes a whiteout or an opaque mark. They have no attributes: such
// files never exist.
func (p *packer) writeMark(it *item) error {
	dir, m := it.path, whiteout.Mark{Kind: whiteout.MarkOpaque}
	if it.mark == whiteoutMark {
		m.Kind = whiteout.MarkWhiteout
		dir, m.Name = splitPath(it.path)
	}
	e, err := whiteout.NewCodec(whiteout.FormatTar, whiteout.User).Encode(m)
	if err != nil {
		return &NameError{"/" + it.path, "a layer archive can't say that it was removed: its name is too long, or begins with \".wh.\""}
	}
	return p.tw.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: joinPath(dir, e.Name), ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	})
}

func (p *packer) writeFile(it *item) error {
	fd, err := p.s.dirs.open(dirRef{it.src.layer, it.src.dir})
	if err != nil {
		return err
	}
	o, err := readObject(it.src.layer.marks, fd, it.src.name, p.s.ids)
	if err != nil {
		return err
	}
	if o.mode&unix.S_IFMT == unix.S_IFSOCK {
		return p.leaveOut(it)
	}
	h, err := o.header(it.path)
	if err != nil {
		return err
	}
	if it.same != (inode{}) {
		if target, ok := p.first[it.same]; ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, target, 0
			h.PAXRecords = nil // the file has them already
			return p.tw.WriteHeader(h)
		}
		p.first[it.same] = it.path
	}
	if h.Typeflag != tar.TypeReg || h.Size == 0 {
		return p.tw.WriteHeader(h)
	}
	return p.writeData(it, h)
}

// leaveOut leaves a socket out: archives have none, and nobody is at its other
// end. What it hides stays hidden.
func (p *packer) leaveOut(it *item) error {
	if !it.covers {
		return nil
	}
	return p.writeMark(&item{path: it.path, mark: whiteoutMark})
}

func (p *packer) writeData(it *item, h *tar.Header) error {
	dir, err := p.s.dirs.open(dirRef{it.data.layer, it.data.dir})
	if err != nil {
		return err
	}
	fd, err := hostfs.Open(dir, it.data.name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("opening its data: %w", err)
	}
	defer hostfs.Close(fd)
	var st unix.Statx_t
	if err := hostfs.Statx(fd, "", &st); err != nil {
		return err
	}
	if typeOf(&st) != unix.S_IFREG {
		return errors.New("it was a file a moment ago, and is something else now: nothing may write to the tree meanwhile")
	}
	if err := p.tw.WriteHeader(h); err != nil {
		return err
	}
	if p.buf == nil {
		p.buf = make([]byte, bufSize)
	}
	for off := int64(0); off < h.Size; {
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		n, err := hostfs.Pread(fd, p.buf[:min(h.Size-off, bufSize)], off)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("its size was %d and is %d now: nothing may write to it meanwhile: %w", h.Size, off, io.ErrUnexpectedEOF)
		}
		if _, err := p.tw.Write(p.buf[:n]); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}
