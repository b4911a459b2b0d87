package layertar

import (
	"archive/tar"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// object is a file of a tree as the union's users see it.
type object struct {
	mode         uint32 // S_IFMT and permission bits
	uid, gid     uint32
	major, minor uint32
	size         int64
	mtime        time.Time
	target       string // of a symlink
	xattrs       []xattr
}

// readObject reads all but the data.
func readObject(d whiteout.Dialect, dirfd int, name string, ids IDs) (*object, error) {
	var st unix.Statx_t
	if err := hostfs.Statx(dirfd, name, &st); err != nil {
		return nil, err
	}
	o := &object{
		mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid, major: st.Rdev_major, minor: st.Rdev_minor,
		size: int64(st.Size), mtime: time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)),
	}
	hostType := o.mode & unix.S_IFMT
	all, err := o.readXattrs(d, dirfd, name, ids)
	if err != nil {
		return nil, err
	}
	if ids == SingleID && (hostType == unix.S_IFREG || hostType == unix.S_IFDIR) {
		if err := o.readOverride(dirfd, name, all); err != nil {
			return nil, err
		}
	}
	if o.mode&unix.S_IFMT == unix.S_IFLNK {
		o.target, err = readTarget(dirfd, name, hostType)
	}
	return o, err
}

// readOverride takes owner, mode and type from the attribute that has them. A
// value that can't be read is none, as in the union.
func (o *object) readOverride(dirfd int, name string, all []string) error {
	for _, attr := range whiteout.OverrideXattrs {
		if !slices.Contains(all, attr) {
			continue
		}
		v, err := hostfs.GetxattrAll(dirfd, name, attr)
		if err != nil {
			if lacksXattr(err) {
				continue
			}
			return err
		}
		ov, err := whiteout.ParseOverride(v)
		if err != nil {
			continue
		}
		o.uid, o.gid = ov.UID, ov.GID
		kind := o.mode & unix.S_IFMT
		if ov.Type != 0 {
			kind, o.major, o.minor = ov.Type, ov.Major, ov.Minor
		}
		o.mode = kind | ov.Mode&0o7777
		return nil
	}
	return nil
}

// readTarget reads a symlink, which in a tree of one id is a plain file.
func readTarget(dirfd int, name string, hostType uint32) (string, error) {
	if hostType == unix.S_IFLNK {
		return hostfs.Readlink(dirfd, name)
	}
	fd, err := hostfs.Open(dirfd, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer hostfs.Close(fd)
	var buf [pathMax + 1]byte
	n, err := hostfs.Pread(fd, buf[:], 0)
	return string(buf[:n]), err
}

// readXattrs reads the attributes that users see, and answers the names of all.
func (o *object) readXattrs(d whiteout.Dialect, dirfd int, name string, ids IDs) ([]string, error) {
	all, err := hostfs.ListxattrAll(dirfd, name)
	if err == unix.EOPNOTSUPP {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, disk := range all {
		shown := shownName(d, disk, all, ids)
		if shown == "" {
			continue
		}
		v, err := hostfs.GetxattrAll(dirfd, name, disk)
		if err == unix.ENODATA {
			continue // of a list that names what can't be read, as some hosts' do
		}
		if err != nil {
			return nil, &xattrError{disk, err}
		}
		o.xattrs = append(o.xattrs, xattr{shown, string(v)})
	}
	slices.SortFunc(o.xattrs, func(a, b xattr) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// shownName is diskName's inverse: "" for what nobody but the union, or the
// host, has use for.
func shownName(d whiteout.Dialect, disk string, all []string, ids IDs) string {
	if hostsOwn(disk) {
		return ""
	}
	if ids == Plain {
		return disk
	}
	if ids == SingleID {
		name, override := strings.CutPrefix(disk, overridePrefix)
		switch {
		case override && isolated(name):
			return name
		case override, isolated(disk) && slices.Contains(all, overridePrefix+disk):
			return ""
		}
	}
	name, shown := d.Unescape(disk)
	if !shown {
		return ""
	}
	return name
}

// hostsOwn tells of attributes that belong to one machine: labels of its
// security modules and views of its file system.
func hostsOwn(name string) bool {
	switch name {
	case "security.selinux", "security.ima", "security.evm", "security.apparmor":
		return true
	}
	if strings.HasPrefix(name, "security.SMACK64") || strings.HasPrefix(name, "btrfs.") {
		return true
	}
	return strings.HasPrefix(name, "system.") && name != aclAccess && name != aclDefault
}

// header is the entry of the object.
func (o *object) header(path string) (*tar.Header, error) {
	h := &tar.Header{
		Name: path, Mode: int64(o.mode & 0o7777), Uid: int(o.uid), Gid: int(o.gid),
		ModTime: o.mtime, Format: tar.FormatPAX,
	}
	switch o.mode & unix.S_IFMT {
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, o.size
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, path+"/"
		if path == "" {
			h.Name = "./"
		}
	case unix.S_IFLNK:
		h.Typeflag, h.Linkname = tar.TypeSymlink, o.target
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFCHR:
		h.Typeflag = tar.TypeChar
	case unix.S_IFBLK:
		h.Typeflag = tar.TypeBlock
	default:
		return nil, fmt.Errorf("it is of type %#o, which no archive has", o.mode&unix.S_IFMT)
	}
	if h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock {
		h.Devmajor, h.Devminor = int64(o.major), int64(o.minor)
	}
	for _, x := range o.xattrs {
		if strings.Contains(x.name, "=") {
			return nil, &NameError{"/" + path, fmt.Sprintf("an archive can't hold its extended attribute %q, because of the = in the name", x.name)}
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[paxXattr+x.name] = x.value
	}
	return h, nil
}
