package hostfs

import (
	"sync"

	"golang.org/x/sys/unix"
)

// Clone makes dst share all of src's extents (FICLONE): btrfs, XFS, bcachefs.
func Clone(dst, src int) error {
	return again(func() error { return unix.IoctlFileClone(dst, src) })
}

// CopyRange copies n bytes inside the kernel where it can. The count is short
// when src ends before.
func CopyRange(dst int, dstOff int64, src int, srcOff int64, n int64) (int64, error) {
	var done int64
	for done < n {
		in, out := srcOff+done, dstOff+done
		k, err := unix.CopyFileRange(src, &in, dst, &out, int(min(n-done, 1<<30)), 0)
		switch {
		case err == unix.EINTR:
		case err != nil && !copyByHand(err):
			return done, err
		case err != nil || k == 0:
			// Zero is the end, or a file that doesn't know its size, such as
			// procfs's: a read tells them apart.
			more, err := copyBuffered(dst, dstOff+done, src, srcOff+done, n-done)
			return done + more, err
		default:
			done += int64(k)
		}
	}
	return done, nil
}

// copyByHand tells which refusals of copy_file_range(2) are about the call and
// not about the files: other file system types (EXDEV), old kernels, seccomp.
func copyByHand(err error) bool {
	switch err {
	case unix.EXDEV, unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP, unix.EPERM, unix.ETXTBSY:
		return true
	}
	return false
}

const copyBuf = 1 << 20

var copyPool = sync.Pool{New: func() any { return new([copyBuf]byte) }}

func copyBuffered(dst int, dstOff int64, src int, srcOff int64, n int64) (int64, error) {
	buf := copyPool.Get().(*[copyBuf]byte)
	defer copyPool.Put(buf)
	var done int64
	for done < n {
		want := int(min(n-done, copyBuf))
		k, rerr := Pread(src, buf[:want], srcOff+done)
		w, werr := Pwrite(dst, buf[:k], dstOff+done)
		done += int64(w)
		if werr != nil {
			return done, werr
		}
		if rerr != nil || k < want {
			return done, rerr
		}
	}
	return done, nil
}

// CopyData copies src, whose size is given, into the empty file dst and sets
// dst's size. Extents are shared where possible. With sparseOK holes stay
// holes; without, the file is copied from end to end. It moves src's offset.
func CopyData(dst, src int, size int64, sparseOK bool) error {
	if size > 0 && wholeFile(src, size) && Clone(dst, src) == nil {
		return Ftruncate(dst, size)
	}
	var end int64
	var err error
	if sparseOK {
		end, err = copyExtents(dst, src, size)
	} else {
		end, err = CopyRange(dst, 0, src, 0, size)
	}
	if err != nil || end == size {
		return err
	}
	return Ftruncate(dst, size)
}

func wholeFile(fd int, size int64) bool {
	var st unix.Statx_t
	return Statx(fd, "", &st) == nil && st.Size <= uint64(size)
}

// copyExtents copies what isn't a hole and answers where the last of it ends.
func copyExtents(dst, src int, size int64) (end int64, err error) {
	for pos := int64(0); pos < size; {
		data, hole, err := nextExtent(src, pos, size)
		if err != nil || data >= size {
			return end, err
		}
		n, err := CopyRange(dst, data, src, data, hole-data)
		end = data + n
		if err != nil || end < hole {
			return end, err // short: src was truncated meanwhile
		}
		pos = hole
	}
	return end, nil
}

// nextExtent finds the data at or after pos. A file system that can't tell has
// one extent: all there is.
func nextExtent(fd int, pos, size int64) (data, hole int64, err error) {
	data, err = SeekData(fd, pos)
	if err == unix.ENXIO {
		return size, size, nil
	}
	if err != nil {
		return pos, size, nil
	}
	hole, err = SeekHole(fd, data)
	if err == unix.ENXIO {
		return size, size, nil // truncated between the two calls
	}
	if err != nil || hole > size || hole <= data {
		return data, size, nil
	}
	return data, hole, nil
}
