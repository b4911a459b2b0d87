package whiteout

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// OverrideXattr keeps what the host can't: it is written as containers/storage
// and podman write it, "uid:gid:mode:type", numbers decimal but the mode, which
// is octal; a device's type is "block-MAJOR-MINOR" or "char-MAJOR-MINOR".
const OverrideXattr = "user.containers.override_stat"

// OverrideXattrs are the names to read, the first one found counts. The older
// two are fuse-overlayfs' own.
var OverrideXattrs = []string{
	OverrideXattr,
	"security.fuseoverlayfs.override_stat",
	"user.fuseoverlayfs.override_stat",
}

// Override is an owner, mode and type that stand in for the host file's.
type Override struct {
	UID, GID     uint32
	Mode         uint32 // permission bits, 07777
	Type         uint32 // S_IFMT bits; 0 means as the host file
	Major, Minor uint32 // of a device
}

// overrideMax is longer than any value that can be right.
const overrideMax = 128

var overrideTypes = [...]struct {
	word   string
	bits   uint32
	device bool
}{
	{"file", unix.S_IFREG, false},
	{"dir", unix.S_IFDIR, false},
	{"symlink", unix.S_IFLNK, false},
	{"pipe", unix.S_IFIFO, false},
	{"socket", unix.S_IFSOCK, false},
	{"block", unix.S_IFBLK, true},
	{"char", unix.S_IFCHR, true},
}

// ParseOverride reads a value; EINVAL when it isn't one. The type may be
// missing, as in fuse-overlayfs' older values, and a device's numbers may be
// fields of their own.
func ParseOverride(value []byte) (Override, error) {
	var o Override
	if len(value) > overrideMax {
		return o, unix.EINVAL
	}
	fields := bytes.Split(value, []byte{':'})
	if len(fields) < 3 {
		return o, unix.EINVAL
	}
	var ok [3]bool
	o.UID, ok[0] = number(fields[0], 10)
	o.GID, ok[1] = number(fields[1], 10)
	o.Mode, ok[2] = number(fields[2], 8)
	if ok != [3]bool{true, true, true} || o.Mode > unix.S_IFMT|0o7777 {
		return Override{}, unix.EINVAL
	}
	o.Mode &= 0o7777 // old values carry the host file's type bits
	if len(fields) > 3 && !o.parseType(fields[3:]) {
		return Override{}, unix.EINVAL
	}
	return o, nil
}

// parseType reads "file", "char-M-m", or "char", "M", "m".
func (o *Override) parseType(fields [][]byte) bool {
	if len(fields) == 1 {
		fields = bytes.Split(fields[0], []byte{'-'})
	}
	for _, t := range overrideTypes {
		if string(fields[0]) != t.word {
			continue
		}
		o.Type = t.bits
		if !t.device {
			return len(fields) == 1
		}
		if len(fields) != 3 {
			return false
		}
		var major, minor bool
		o.Major, major = number(fields[1], 10)
		o.Minor, minor = number(fields[2], 10)
		return major && minor
	}
	return false
}

// number takes digits alone: no sign, no space, no underscore.
func number(b []byte, base int) (uint32, bool) {
	if len(b) == 0 || b[0] < '0' || b[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b), base, 32)
	return uint32(n), err == nil
}

// Append writes the value behind dst.
func (o Override) Append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(o.UID), 10)
	dst = append(dst, ':')
	dst = strconv.AppendUint(dst, uint64(o.GID), 10)
	dst = append(dst, ':')
	for shift := 9; shift >= 0; shift -= 3 { // four digits, as "%04o"
		dst = append(dst, '0'+byte(o.Mode>>shift&7))
	}
	for _, t := range overrideTypes {
		if t.bits != o.Type {
			continue
		}
		dst = append(append(dst, ':'), t.word...)
		if t.device {
			dst = strconv.AppendUint(append(dst, '-'), uint64(o.Major), 10)
			dst = strconv.AppendUint(append(dst, '-'), uint64(o.Minor), 10)
		}
	}
	return dst
}
