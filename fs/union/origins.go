package union

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// Without privilege symlinks and special files carry no extended attributes
// (xattr(7)), so their origin stands in work: a symlink named after the copy's
// inode number holds it, with the copy's birth time, so that a record left
// behind says nothing about a later file of the same number.

const originsName = "origins" // below privateName

// recordsOrigin tells whether the origin of an object of this type is there.
func (u *Union) recordsOrigin(typ uint32) bool {
	return u.work != nil && u.caps.Xattrs && u.caps.Namespace != whiteout.Trusted && !u.ids.overrides &&
		typ != unix.S_IFREG && typ != unix.S_IFDIR
}

func originRecord(origin identity, st *unix.Statx_t) string {
	return fmt.Sprintf("%v %d.%09d", origin, st.Btime.Sec, st.Btime.Nsec)
}

func recordName(ino uint64) string {
	return privateName + "/" + originsName + "/" + strconv.FormatUint(ino, 16)
}

// recordOrigin notes the origin of a staged copy before it is published.
func (u *Union) recordOrigin(tmp string, origin identity) error {
	var st unix.Statx_t
	if err := hostfs.Statx(u.work.stage.fd, tmp, &st); err != nil {
		return err
	}
	name, record := recordName(st.Ino), originRecord(origin, &st)
	err := hostfs.Symlink(record, u.work.fd, name)
	if err == unix.ENOENT {
		if err := u.work.makePrivate(originsName); err != nil {
			return err
		}
		err = hostfs.Symlink(record, u.work.fd, name)
	}
	if err == unix.EEXIST {
		if err := hostfs.Unlink(u.work.fd, name); err != nil {
			return err
		}
		err = hostfs.Symlink(record, u.work.fd, name)
	}
	return err
}

// recordedOrigin reads the origin of an object in upper; st is the host's.
func (u *Union) recordedOrigin(st *unix.Statx_t) identity {
	record, err := hostfs.Readlink(u.work.fd, recordName(st.Ino))
	if err != nil || len(record) < 17 {
		return identity{}
	}
	var text string
	if n, err := fmt.Sscanf(record, "%s", &text); n != 1 || err != nil {
		return identity{}
	}
	origin := parseIdentity(text)
	if originRecord(origin, st) != record {
		return identity{}
	}
	return origin
}

// forgetOrigin removes the record of an object that is about to go.
func (u *Union) forgetOrigin(tmp string) {
	var st unix.Statx_t
	if hostfs.Statx(u.work.stage.fd, tmp, &st) == nil {
		_ = hostfs.Unlink(u.work.fd, recordName(st.Ino)) // most have none
	}
}

// makePrivate makes a directory of ours in work.
func (w *work) makePrivate(name string) error {
	for _, path := range [...]string{privateName, privateName + "/" + name} {
		if err := hostfs.Mkdir(w.fd, path, 0o700); err != nil && err != unix.EEXIST {
			return err
		}
	}
	return nil
}
