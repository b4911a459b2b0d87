package volumes

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/layerstore/layertar"
	"unionfs/whiteout"
)

// importPrefix hides in a volume what is about to become its files.
const importPrefix = ".unionfs-import-"

// Export writes what a use's volume has as an archive.
func (u *Use) Export(ctx context.Context, w io.Writer) error {
	fd, err := openDir(u.dir())
	if err != nil {
		return &os.PathError{Op: "open", Path: u.Path(), Err: err}
	}
	defer hostfs.Close(fd)
	return layertar.PackTree(ctx, w, fd, layertar.Plain)
}

// Import puts the files of an archive into a use's volume, beside what is there
// and in the place of what has the same names. The archive is unpacked aside
// first: one that is damaged changes nothing.
func (u *Use) Import(ctx context.Context, in io.Reader) error {
	place := u.dir()
	var before unix.Statx_t
	if err := hostfs.Statx(unix.AT_FDCWD, place, &before); err != nil {
		return &os.PathError{Op: "statx", Path: place, Err: err}
	}
	if err := u.noteImport(true); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(place, importPrefix)
	if err != nil {
		return err
	}
	fd, err := openDir(aside)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	// A failure means that others may take it for a dead process's, no more.
	_ = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	summary, err := u.unpack(ctx, fd, in)
	if err == nil {
		err = merger{replace: true}.emptied(aside, place, summary.Root)
	}
	err = errors.Join(err, removeAll(aside))
	if err == nil {
		err = u.noteImport(false)
	}
	if err != nil { // then it is as it was, its times too
		_ = hostfs.Utimes(unix.AT_FDCWD, place, hostfs.Timespec(before.Atime), hostfs.Timespec(before.Mtime))
	}
	return err
}

// sweepImports removes what a killed import has left.
func sweepImports(place string) error {
	names, err := namesIn(place)
	for _, name := range names {
		if !strings.HasPrefix(name, importPrefix) {
			continue
		}
		path := filepath.Join(place, name)
		fd, oerr := openDir(path)
		if oerr != nil {
			continue // it has just gone
		}
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			err = errors.Join(err, removeAll(path))
		}
		hostfs.Close(fd)
	}
	return err
}

func (u *Use) unpack(ctx context.Context, dir int, in io.Reader) (layertar.Summary, error) {
	if hasOneID() {
		owned := ownedByUs(in)
		defer owned.Close()
		in = owned
	}
	// A volume isn't a layer: what looks like a mark is a file of that name, which
	// is the form that marks have in aufs.
	plain := whiteout.NewCodec(whiteout.FormatAufs, whiteout.User)
	summary, err := layertar.Unpack(ctx, in, dir, layertar.UnpackOptions{Codec: plain, Warn: u.s.warn})
	if err != nil {
		return summary, err
	}
	if summary.Entries == 0 {
		return summary, errors.New("the archive is empty")
	}
	return summary, unix.Syncfs(dir)
}

// noteImport notes that an import is under way, or is done: then the volume won't
// be filled from an image. Should two go on at once, the note goes with the first:
// what the other leaves when it is killed is swept by the next import.
func (u *Use) noteImport(begins bool) error {
	return u.s.withVolume(u.name, func(m *meta) error {
		if err := sweepImports(u.dir()); err != nil {
			return err
		}
		m.Importing, m.Filled = begins, m.Filled || !begins
		return u.s.writeMeta(m)
	})
}
