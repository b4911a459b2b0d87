package fstest

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"golang.org/x/sys/unix"
)

const blockSize = 64 << 10

// eachBlock calls do with the blocks (aligned, of blockSize, the last may be
// shorter) of a file that hold anything but zeros.
func eachBlock(fd int, size int64, do func(off int64, block []byte)) error {
	buf := make([]byte, blockSize)
	for off := int64(0); off < size; {
		data, err := unix.Seek(fd, off, unix.SEEK_DATA)
		if err == unix.ENXIO {
			return nil // only a hole is left
		}
		if err == nil {
			off = data / blockSize * blockSize
		} // other errors: no SEEK_DATA here, read it all
		n, err := preadFull(fd, buf, off, size)
		if err != nil {
			return err
		}
		if !isZero(buf[:n]) {
			do(off, buf[:n])
		}
		off += blockSize
	}
	return nil
}

func preadFull(fd int, buf []byte, off, size int64) (int, error) {
	want := int(min(int64(len(buf)), size-off))
	got := 0
	for got < want {
		n, err := unix.Pread(fd, buf[got:want], off+int64(got))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return got, err
		}
		if n == 0 {
			return got, fmt.Errorf("short: %d of %d bytes", off+int64(got), size)
		}
		got += n
	}
	return got, nil
}

var zeros [blockSize]byte

func isZero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }

// sumOf is the sum that a scan computes, of content held in memory.
func sumOf(data []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", len(data))
	for off := 0; off < len(data); off += blockSize {
		block := data[off:min(off+blockSize, len(data))]
		if !isZero(block) {
			fmt.Fprintf(h, "@%d\n", off)
			h.Write(block)
		}
	}
	h.Sum(sum[:0])
	return sum
}
