package driver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bytesBeyond adds up what a clone takes on disk beyond what it was cloned from.
// A file that is as it was still has the inode number and the change time that it
// had there, whatever directory it is in now; of others their own extents count.
func bytesBeyond(base, clone string) (int64, error) {
	was := map[uint64]syscall.Timespec{}
	err := eachInode(base, func(_ string, st *syscall.Stat_t) { was[st.Ino] = st.Ctim })
	if err != nil {
		return 0, err
	}
	total := int64(0)
	err = eachInode(clone, func(path string, st *syscall.Stat_t) {
		if then, ok := was[st.Ino]; !ok || then != st.Ctim {
			total += ownBytes(path, st)
		}
	})
	return total, err
}

// bytesBelow adds up what files take on disk, each once.
func bytesBelow(dir string) (int64, error) {
	total := int64(0)
	err := eachInode(dir, func(_ string, st *syscall.Stat_t) { total += st.Blocks * 512 })
	return total, err
}

// eachInode calls do once for each file below dir, by one of its names. What is
// removed meanwhile, under a mount, doesn't count.
func eachInode(dir string, do func(path string, st *syscall.Stat_t)) error {
	seen := map[uint64]bool{}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return nil // removed
		}
		st := fi.Sys().(*syscall.Stat_t)
		if st.Nlink > 1 && !fi.IsDir() {
			if seen[st.Ino] {
				return nil
			}
			seen[st.Ino] = true
		}
		do(path, st)
		return nil
	})
}

// ownBytes are the bytes of a file's extents that no other file shares, where the
// file system can tell.
func ownBytes(path string, st *syscall.Stat_t) int64 {
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Blocks == 0 {
		return st.Blocks * 512
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return st.Blocks * 512
	}
	defer f.Close()
	if own, err := unshared(f); err == nil {
		return own
	}
	return st.Blocks * 512
}

// FS_IOC_FIEMAP of include/uapi/linux/fs.h and fiemap.h.
const (
	fiemapCall   = 3<<30 | 32<<16 | 'f'<<8 | 11
	fiemapSync   = 0x1
	extentLast   = 0x1
	extentShared = 0x2000
)

// fiemap is struct fiemap with room for some extents.
type fiemap struct {
	start, length        uint64
	flags, mapped, count uint32
	_                    uint32
	extents              [64]extent
}

// extent is struct fiemap_extent.
type extent struct {
	logical, physical, length uint64
	_                         [2]uint64
	flags                     uint32
	_                         [3]uint32
}

func unshared(f *os.File) (own int64, err error) {
	for start := uint64(0); ; {
		m := fiemap{start: start, length: ^uint64(0) - start, flags: fiemapSync}
		m.count = uint32(len(m.extents))
		if errno := ioctl(f, fiemapCall, unsafe.Pointer(&m)); errno != 0 {
			return 0, errno
		}
		for _, e := range m.extents[:m.mapped] {
			if e.flags&extentShared == 0 {
				own += int64(e.length)
			}
			if e.flags&extentLast != 0 {
				return own, nil
			}
			start = e.logical + e.length
		}
		if m.mapped == 0 {
			return own, nil
		}
	}
}
