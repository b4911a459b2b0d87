package hostfs

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// Getxattr reads one extended attribute of name into buf and answers its size;
// an empty buf asks for the size alone. The file isn't opened, so that it works
// on symlinks, fifos and devices as well.
func Getxattr(dirfd int, name, attr string, buf []byte) (int, error) {
	return xattrCall(xattrGet, dirfd, name, attr, buf, 0)
}

// Listxattr reads the names of all attributes, each with a NUL behind it.
func Listxattr(dirfd int, name string, buf []byte) (int, error) {
	return xattrCall(xattrList, dirfd, name, "", buf, 0)
}

// Setxattr sets one; flags are XATTR_CREATE or XATTR_REPLACE.
func Setxattr(dirfd int, name, attr string, value []byte, flags int) error {
	_, err := xattrCall(xattrSet, dirfd, name, attr, value, flags)
	return err
}

// Removexattr removes one; ENODATA when there is none.
func Removexattr(dirfd int, name, attr string) error {
	_, err := xattrCall(xattrRemove, dirfd, name, attr, nil, 0)
	return err
}

// xattrMax is XATTR_SIZE_MAX and XATTR_LIST_MAX.
const xattrMax = 65536

// GetxattrAll reads an attribute of any size.
func GetxattrAll(dirfd int, name, attr string) ([]byte, error) {
	return grow(func(buf []byte) (int, error) { return Getxattr(dirfd, name, attr, buf) })
}

// ListxattrAll reads the names of all attributes.
func ListxattrAll(dirfd int, name string) ([]string, error) {
	list, err := grow(func(buf []byte) (int, error) { return Listxattr(dirfd, name, buf) })
	if err != nil {
		return nil, err
	}
	var names []string
	for len(list) > 0 {
		one, rest, _ := bytes.Cut(list, []byte{0})
		names = append(names, string(one))
		list = rest
	}
	return names, nil
}

// grow calls read with larger buffers until the answer fits. The size isn't
// asked for first: another process may make the value longer in between.
func grow(read func([]byte) (int, error)) ([]byte, error) {
	for size := 512; ; size *= 4 {
		buf := make([]byte, min(size, xattrMax))
		n, err := read(buf)
		if err == unix.ERANGE && size < xattrMax {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}
