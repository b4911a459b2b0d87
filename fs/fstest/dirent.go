package fstest

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Dirent is one entry as getdents64 gives it, with what the standard library
// hides: d_ino, d_off (a cookie for lseek) and d_type.
type Dirent struct {
	Ino  uint64
	Off  int64
	Type uint8
	Name string
}

// letter is d_type as ls prints it. DT_UNKNOWN is allowed by getdents(2), but
// no layered file system has a reason for it: it is shown as ?.
func (e Dirent) letter() string { return typeLetter(uint32(e.Type) << 12) }

// ReadDirents reads entries from where fd stands with a buffer of bufSize, up
// to the end or until max (when not negative) or more were read: one call's
// entries are never thrown away.
func ReadDirents(fd, bufSize, max int) ([]Dirent, error) {
	var out []Dirent
	buf := make([]byte, bufSize)
	for max < 0 || len(out) < max {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return out, err
		}
		out = append(out, parseDirents(buf[:n])...)
	}
	return out, nil
}

// parseDirents cuts struct linux_dirent64: ino, off, reclen, type, name.
func parseDirents(buf []byte) []Dirent {
	var out []Dirent
	for len(buf) >= 19 {
		reclen := binary.NativeEndian.Uint16(buf[16:])
		name, _, _ := bytes.Cut(buf[19:reclen], []byte{0})
		out = append(out, Dirent{
			Ino:  binary.NativeEndian.Uint64(buf),
			Off:  int64(binary.NativeEndian.Uint64(buf[8:])),
			Type: buf[18],
			Name: string(name),
		})
		buf = buf[reclen:]
	}
	return out
}
