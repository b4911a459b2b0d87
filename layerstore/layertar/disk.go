package layertar

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// disk makes files as they shall stand on the host.
type disk struct {
	ids      IDs
	warner   *warner
	inUserNS bool
	umask    uint32
	// uid and gid own what this process makes, unless ownAll says that the
	// group can't be relied on.
	uid, gid uint32
	ownAll   bool
}

// newDisk readies the directory dirfd: nothing that its parents hand down may
// reach the files of the archive. Its own attributes come at the end.
func newDisk(dirfd int, ids IDs, w *warner) (*disk, error) {
	d := &disk{
		ids: ids, warner: w, inUserNS: inUserNS(), umask: umask(),
		uid: uint32(unix.Geteuid()), gid: uint32(unix.Getegid()),
	}
	for _, acl := range [...]string{aclDefault, aclAccess} {
		_ = hostfs.Removexattr(dirfd, "", acl) // most have none, or can't
	}
	if err := hostfs.Chmod(dirfd, "", dirModeWhileMade); err != nil {
		return nil, err
	}
	var st unix.Statx_t
	if err := hostfs.Statx(dirfd, "", &st); err != nil {
		return nil, err
	}
	// mkdir(2): the group of a setgid directory, or on a mount with grpid of
	// every directory, goes to what is made in it.
	d.ownAll = st.Gid != d.gid
	return d, nil
}

// inUserNS tells whether this process is in a user namespace of its own.
func inUserNS() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	f := strings.Fields(string(b))
	return len(f) != 3 || f[0] != "0" || f[1] != "0" || f[2] != "4294967295"
}

// umask reads the process's mask. umask(2) can only be asked by changing it,
// for all threads; without /proc every mode is set after the fact.
func umask() uint32 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0o777
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "Umask:"); ok {
			if n, err := strconv.ParseUint(strings.TrimSpace(v), 8, 32); err == nil {
				return uint32(n)
			}
		}
	}
	return 0o777
}

// make makes the file of a job.
func (d *disk) make(p *pool, j *job) error {
	err := d.makeKind(p, j)
	if err != nil {
		return j.explain(err)
	}
	return nil
}

func (d *disk) makeKind(p *pool, j *job) error {
	switch {
	case j.e.kind == kindFile:
		return d.regular(p, j)
	case d.ids == SingleID:
		return d.standIn(j)
	case j.e.kind == kindSymlink:
		if err := j.replace(func() error { return hostfs.Symlink(j.e.target, j.at.fd, j.name) }); err != nil {
			return err
		}
		return d.adorn(j.at.fd, j.name, j.e, keepMode)
	}
	mode := d.makeMode(j.e)
	rdev := unix.Mkdev(j.e.major, j.e.minor)
	if err := j.replace(func() error { return hostfs.Mknod(j.at.fd, j.name, j.e.kindBits()|mode, rdev) }); err != nil {
		return err
	}
	return d.adorn(j.at.fd, j.name, j.e, mode&^d.umask)
}

// replace makes something in the place of what an earlier entry made there.
func (j *job) replace(make func() error) error {
	err := make()
	if err != unix.EEXIST {
		return err
	}
	if err := hostfs.Unlink(j.at.fd, j.name); err != nil {
		return err
	}
	return make()
}

// makeMode is the mode to make a file with: what it shall have in the end,
// unless attributes must be set before, which a mode without write permission
// would forbid an owner without privilege (xattr(7)).
func (d *disk) makeMode(e *entry) uint32 {
	if len(e.xattrs) > 0 && d.ids == RealIDs {
		return 0o600
	}
	return d.diskMode(&e.attrs, e.kindBits()) & 0o777
}

// diskMode is the mode on disk. Where the real one is in an attribute, the
// owner keeps the access that this process needs (as in fs/union, setOverride).
func (d *disk) diskMode(a *attrs, kind uint32) uint32 {
	switch {
	case d.ids == RealIDs:
		return a.mode
	case kind == unix.S_IFDIR:
		return a.mode&0o777 | 0o700
	}
	return a.mode&0o777 | 0o600
}

func (j *job) create(mode uint32) (fd int, err error) {
	err = j.replace(func() error {
		fd, err = hostfs.Open(j.at.fd, j.name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, mode)
		return err
	})
	return fd, err
}

func (d *disk) regular(p *pool, j *job) error {
	mode := d.makeMode(j.e)
	fd, err := j.create(mode)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	switch {
	case j.parts != nil:
		err = p.writeParts(fd, j)
	case len(j.data) > 0:
		_, err = hostfs.Pwrite(fd, j.data, 0)
	}
	if err != nil {
		return err
	}
	return d.adorn(fd, "", j.e, mode&^d.umask)
}

// standIn makes the plain file that stands for a symlink, a device or a fifo
// where their owner must be in an attribute, which only plain files carry
// (fs/union, makeSymlink and mknod).
func (d *disk) standIn(j *job) error {
	mode := d.makeMode(j.e)
	fd, err := j.create(mode)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	if j.e.kind == kindSymlink {
		if _, err := hostfs.Pwrite(fd, []byte(j.e.target), 0); err != nil {
			return err
		}
	}
	return d.adorn(fd, "", j.e, mode&^d.umask)
}

// keepMode says that there is no mode to set.
const keepMode = ^uint32(0)

// adorn gives what was just made its owner, attributes, mode and times, in this
// order: a change of owner clears set-id bits and capabilities, and one of the
// attributes may clear set-gid. made is the mode that it has.
func (d *disk) adorn(dirfd int, name string, e *entry, made uint32) error {
	return d.adornAs(dirfd, name, &e.attrs, e.kindBits(), whiteout.Override{Major: e.major, Minor: e.minor}, made)
}

func (d *disk) adornAs(dirfd int, name string, a *attrs, kind uint32, o whiteout.Override, made uint32) error {
	if d.ids == SingleID {
		if err := d.override(dirfd, name, a, kind, o); err != nil {
			return err
		}
	} else if d.ownAll || a.uid != d.uid || a.gid != d.gid {
		if err := hostfs.Chown(dirfd, name, a.uid, a.gid); err != nil {
			return d.explainOwner(a, err)
		}
	}
	acl, err := d.setXattrs(dirfd, name, a.xattrs)
	if err != nil {
		return err
	}
	if mode := d.diskMode(a, kind); made != keepMode && (acl || mode != made) {
		if err := hostfs.Chmod(dirfd, name, mode); err != nil {
			return err
		}
	}
	return hostfs.Utimes(dirfd, name, a.atime, a.mtime)
}

func (d *disk) override(dirfd int, name string, a *attrs, kind uint32, o whiteout.Override) error {
	o.UID, o.GID, o.Mode = a.uid, a.gid, a.mode
	if kind != unix.S_IFREG && kind != unix.S_IFDIR {
		o.Type = kind
	}
	var buf [128]byte
	if err := hostfs.Setxattr(dirfd, name, whiteout.OverrideXattr, o.Append(buf[:0]), 0); err != nil {
		return &xattrError{whiteout.OverrideXattr, err}
	}
	return nil
}
