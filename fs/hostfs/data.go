package hostfs

import "golang.org/x/sys/unix"

// Fsync makes data and attributes of fd durable.
func Fsync(fd int) error {
	return again(func() error { return unix.Fsync(fd) })
}

// Fdatasync makes the data durable, and what is needed to read it back.
func Fdatasync(fd int) error {
	return again(func() error { return unix.Fdatasync(fd) })
}

// Syncfs makes the whole file system of fd durable; fd isn't O_PATH.
func Syncfs(fd int) error {
	return again(func() error { return unix.Syncfs(fd) })
}

// Ftruncate sets the size.
func Ftruncate(fd int, size int64) error {
	return again(func() error { return unix.Ftruncate(fd, size) })
}

// Fallocate is fallocate(2).
func Fallocate(fd int, mode uint32, off, length int64) error {
	return again(func() error { return unix.Fallocate(fd, mode, off, length) })
}

// Pread fills b from off on; fewer bytes mean the end of the file, or an error.
func Pread(fd int, b []byte, off int64) (int, error) {
	done := 0
	for done < len(b) {
		n, err := unix.Pread(fd, b[done:], off+int64(done))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return done, err
		}
		done += n
	}
	return done, nil
}

// Pwrite writes all of b at off; with an error comes how much was written.
func Pwrite(fd int, b []byte, off int64) (int, error) {
	done := 0
	for done < len(b) {
		n, err := unix.Pwrite(fd, b[done:], off+int64(done))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, unix.EIO // a file system that takes nothing and says nothing
		}
		done += n
	}
	return done, nil
}

// SeekData answers where data begins at or after off: ENXIO when only a hole
// or nothing follows. It moves fd's offset.
func SeekData(fd int, off int64) (int64, error) {
	return unix.Seek(fd, off, unix.SEEK_DATA)
}

// SeekHole answers where the next hole begins; the end of the file is one.
func SeekHole(fd int, off int64) (int64, error) {
	return unix.Seek(fd, off, unix.SEEK_HOLE)
}
