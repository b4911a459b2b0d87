package runner

import (
	"io"

	"golang.org/x/sys/unix"
)

// copyData makes a new file's bytes those of another: shared where the file
// system can, else without what is a hole.
func copyData(from, to int, size int64) error {
	if size == 0 {
		return nil
	}
	if unix.IoctlFileClone(to, from) == nil {
		return nil
	}
	if err := unix.Ftruncate(to, size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		begin, err := unix.Seek(from, at, unix.SEEK_DATA)
		if err == unix.ENXIO {
			return nil // a hole up to the end
		}
		if err != nil {
			return copyRange(from, to, at, size) // it can't tell
		}
		end, err := unix.Seek(from, begin, unix.SEEK_HOLE)
		if err != nil {
			end = size
		}
		if err := copyRange(from, to, begin, min(end, size)); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// copyRange copies bytes at their place: in the kernel where both files are on
// one file system (copy_file_range(2)).
func copyRange(from, to int, at, end int64) error {
	for at < end {
		in, out := at, at
		n, err := unix.CopyFileRange(from, &in, to, &out, int(min(end-at, 1<<30)), 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return copyThrough(from, to, at, end)
		}
		at += int64(n)
	}
	return nil
}

func copyThrough(from, to int, at, end int64) error {
	buf := make([]byte, min(end-at, 1<<20))
	for at < end {
		n, err := unix.Pread(from, buf[:min(end-at, int64(len(buf)))], at)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF // it has become shorter
		}
		for part := buf[:n]; len(part) > 0; {
			w, err := unix.Pwrite(to, part, at)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return err
			}
			part, at = part[w:], at+int64(w)
		}
	}
	return nil
}
