package union

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// Without privilege symlinks and special files carry no extended attributes
// (xattr(7)), so what these would say stands in work: a symlink named after the
// copy's inode number holds it, with the copy's birth time, so that a record
// left behind says nothing about a later file of the same number.

const originsName = "origins" // below privateName

// record is what work says of a copy: where it comes from, and how many lower
// names lead to it besides those in upper (-1 when it had one name).
type record struct {
	origin identity
	links  int
}

// recordsOrigin tells whether the origin of an object of this type is there.
func (u *Union) recordsOrigin(typ uint32) bool {
	return u.work != nil && u.caps.Xattrs && u.caps.Namespace != whiteout.Trusted && !u.ids.overrides &&
		typ != unix.S_IFREG && typ != unix.S_IFDIR
}

// text is the record's form on disk; st is the copy's.
func (r record) text(st *unix.Statx_t) string {
	text := fmt.Sprintf("%v %d.%09d", r.origin, st.Btime.Sec, st.Btime.Nsec)
	if r.links >= 0 {
		text += " " + itoa(r.links)
	}
	return text
}

func recordName(ino uint64) string {
	return privateName + "/" + originsName + "/" + strconv.FormatUint(ino, 16)
}

// recordCopy notes the origin of a staged copy before it is published.
func (u *Union) recordCopy(tmp string, r record) error {
	var st unix.Statx_t
	if err := hostfs.Statx(u.work.stage.fd, tmp, &st); err != nil {
		return err
	}
	return u.writeRecord(&st, r)
}

// writeRecord writes a record in one step, over an older one of this number.
func (u *Union) writeRecord(st *unix.Statx_t, r record) error {
	tmp, name := u.work.name(), recordName(st.Ino)
	if err := hostfs.Symlink(r.text(st), u.work.stage.fd, tmp); err != nil {
		return err
	}
	err := hostfs.Rename(u.work.stage.fd, tmp, u.work.fd, name, 0)
	if err == unix.ENOENT {
		if err = u.work.makePrivate(originsName); err == nil {
			err = hostfs.Rename(u.work.stage.fd, tmp, u.work.fd, name, 0)
		}
	}
	if err != nil {
		u.removeStaged(tmp)
	}
	return err
}

// recorded reads the record of an object in upper; st is the host's. Without
// one the origin is zero.
func (u *Union) recorded(st *unix.Statx_t) record {
	none := record{links: -1}
	text, err := hostfs.Readlink(u.work.fd, recordName(st.Ino))
	fields := strings.Fields(text)
	if err != nil || len(fields) < 2 {
		return none
	}
	r := record{origin: parseIdentity(fields[0]), links: -1}
	if len(fields) > 2 {
		if r.links, err = strconv.Atoi(fields[2]); err != nil {
			return none
		}
	}
	if r.text(st) != text {
		return none
	}
	return r
}

// markLinks notes how many lower names lead to the indexed inode n. The caller
// holds n.mu.
func (u *Union) markLinks(n *Inode) error {
	name := u.indexName(n)
	if !u.recordsOrigin(n.typ) {
		return u.mark(u.work.index.fd, name, whiteout.UnionLinks, itoa(n.seldom().lowerNames))
	}
	var st unix.Statx_t
	if err := hostfs.Statx(u.work.index.fd, name, &st); err != nil {
		return err
	}
	r := u.recorded(&st)
	r.links = n.seldom().lowerNames
	return u.writeRecord(&st, r)
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
