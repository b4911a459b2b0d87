package hostfs

import (
	"bytes"
	"encoding/binary"
	"sync"

	"golang.org/x/sys/unix"
)

// DirEntry is one name of a directory, for those who keep it.
type DirEntry struct {
	Name string
	Ino  uint64
	Type uint8 // DT_*
}

// direntHeader is struct linux_dirent64 up to its name: ino, off, reclen, type.
const direntHeader = 19

// direntBuf is the size of one getdents64: large directories in few calls.
const direntBuf = 64 << 10

// ReadDir reads the directory fd from its current offset to the end and yields
// every entry but "." and "..". name is valid during the call only; dtype may
// be DT_UNKNOWN. An error of yield ends the reading and is answered.
func ReadDir(fd int, buf []byte, yield func(name []byte, ino uint64, dtype uint8) error) error {
	if buf == nil {
		buf = make([]byte, direntBuf)
	}
	for {
		n, err := getdents(fd, buf)
		if err != nil || n == 0 {
			return err
		}
		if err := eachDirent(buf[:n], yield); err != nil {
			return err
		}
	}
}

func getdents(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Getdents(fd, buf)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func eachDirent(b []byte, yield func(name []byte, ino uint64, dtype uint8) error) error {
	for len(b) > direntHeader {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= direntHeader || size > len(b) {
			return unix.EIO // no kernel does this
		}
		name := b[direntHeader:size]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if string(name) != "." && string(name) != ".." {
			if err := yield(name, binary.NativeEndian.Uint64(b), b[18]); err != nil {
				return err
			}
		}
		b = b[size:]
	}
	return nil
}

var direntPool = sync.Pool{New: func() any { return new([direntBuf]byte) }}

// ListDir yields the entries of the directory at path ("" is dirfd itself),
// whatever dirfd's own offset; types are always known. Symlinks on the path are
// refused as in OpenDir.
func ListDir(dirfd int, path string, yield func(name []byte, ino uint64, dtype uint8) error) error {
	fd, err := openBeneath(dirfd, path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer Close(fd)
	buf := direntPool.Get().(*[direntBuf]byte)
	defer direntPool.Put(buf)
	return ReadDir(fd, buf[:], func(name []byte, ino uint64, dtype uint8) error {
		if dtype == unix.DT_UNKNOWN {
			var st unix.Statx_t
			switch err := Statx(fd, string(name), &st); err {
			case nil:
				dtype = uint8(st.Mode >> 12 & 15) // IFTODT of dirent.h
			case unix.ENOENT:
				return nil // removed since getdents saw it
			default:
				return err
			}
		}
		return yield(name, ino, dtype)
	})
}
