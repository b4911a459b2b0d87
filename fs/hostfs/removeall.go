package hostfs

import "golang.org/x/sys/unix"

// RemoveAll removes name and all below it; ENOENT is success. It follows no
// link and enters no other mount (EBUSY). Two descriptors are open at any time,
// whatever the depth: the way back up is "..", checked against the identity
// that was noted on the way down (ESTALE when somebody moved the tree away).
func RemoveAll(dirfd int, name string) error {
	if name == "" || name == "." || name == ".." {
		return unix.EINVAL
	}
	dtype := uint8(unix.DT_UNKNOWN)
	for range removeTries {
		left, err := removeOne(dirfd, name, dtype)
		if err != nil || !left {
			return err
		}
		if err := removeBelow(dirfd, name); err != nil {
			return err
		}
		dtype = unix.DT_DIR
	}
	return unix.ENOTEMPTY
}

// RemoveChildren empties the directory dirfd.
func RemoveChildren(dirfd int) error {
	return removeBelow(dirfd, "")
}

// removeOne removes a file or an empty directory; left says that it is a
// directory with something in it.
func removeOne(dirfd int, name string, dtype uint8) (left bool, err error) {
	if dtype != unix.DT_DIR {
		err = Unlink(dirfd, name)
		if err == nil || err == unix.ENOENT {
			return false, nil
		}
		// unlink(2): EISDIR is Linux's, EPERM is POSIX's for a directory.
		if err != unix.EISDIR && err != unix.EPERM {
			return false, err
		}
	}
	switch rerr := Rmdir(dirfd, name); rerr {
	case nil, unix.ENOENT:
		return false, nil
	case unix.ENOTEMPTY, unix.EEXIST:
		return true, nil
	case unix.ENOTDIR:
		if err == nil {
			err = rerr
		}
		return false, err
	default:
		return false, rerr
	}
}

// level is a directory on the way down.
type level struct {
	name     string // below its parent
	id       dirID
	children []string // directories that have something in them
	tries    int
}

// dirID tells a directory from any other, also on another mount.
type dirID struct {
	mount, ino uint64
	major      uint32
	minor      uint32
}

// removeTries bounds how often a directory that others keep filling is read.
const removeTries = 16

// removeBelow empties the directory dirfd/name, depth first.
func removeBelow(dirfd int, name string) error {
	fd, id, err := enter(dirfd, name)
	if err != nil {
		if err == unix.ENOENT {
			return nil
		}
		return err
	}
	top := level{id: id}
	if top.children, err = removeFlat(fd); err != nil {
		Close(fd)
		return err
	}
	stack := []level{top}
	for {
		cur := &stack[len(stack)-1]
		if n := len(cur.children); n > 0 {
			child := cur.children[n-1]
			cur.children = cur.children[:n-1]
			next, err := descend(fd, child, id.mount)
			if err == unix.ENOENT {
				continue
			}
			Close(fd)
			if err != nil {
				return err
			}
			fd = next.fd
			stack = append(stack, next.level)
			continue
		}
		if len(stack) == 1 {
			Close(fd)
			return nil
		}
		parent := &stack[len(stack)-2]
		up, err := ascend(fd, parent.id)
		Close(fd)
		if err != nil {
			return err
		}
		fd = up
		if err := leave(fd, parent, cur); err != nil {
			Close(fd)
			return err
		}
		stack = stack[:len(stack)-1]
	}
}

type opened struct {
	level
	fd int
}

// descend opens the child and removes what is flat in it.
func descend(dirfd int, name string, mount uint64) (opened, error) {
	fd, id, err := enter(dirfd, name)
	if err != nil {
		return opened{}, err
	}
	if id.mount != mount {
		Close(fd)
		return opened{}, unix.EBUSY
	}
	children, err := removeFlat(fd)
	if err != nil {
		Close(fd)
		return opened{}, err
	}
	return opened{level{name: name, id: id, children: children}, fd}, nil
}

// leave removes the emptied directory cur from its parent; when somebody put
// something into it meanwhile, it is read again.
func leave(fd int, parent, cur *level) error {
	switch err := Rmdir(fd, cur.name); err {
	case nil, unix.ENOENT:
		return nil
	case unix.ENOTEMPTY, unix.EEXIST:
		if parent.tries++; parent.tries > removeTries {
			return err
		}
		parent.children = append(parent.children, cur.name)
		return nil
	default:
		return err
	}
}

// ascend opens the parent again.
func ascend(fd int, want dirID) (int, error) {
	up, err := Open(fd, "..", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Statx_t
	if err = Statx(up, "", &st); err == nil && identity(&st) != want {
		err = unix.ESTALE
	}
	if err != nil {
		Close(up)
		return -1, err
	}
	return up, nil
}

// enter opens a directory for reading. One of ours that we may not read or
// search gets the permissions first: it is about to go anyway.
func enter(dirfd int, name string) (int, dirID, error) {
	fd, err := Open(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err == unix.EACCES && name != "" && Chmod(dirfd, name, 0o700) == nil {
		fd, err = Open(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	}
	if err != nil {
		return -1, dirID{}, err
	}
	var st unix.Statx_t
	if err := Statx(fd, "", &st); err != nil {
		Close(fd)
		return -1, dirID{}, err
	}
	if st.Mode&0o700 != 0o700 && name != "" {
		_ = Chmod(fd, "", 0o700) // if it fails, so will the unlink, and say why
	}
	return fd, identity(&st), nil
}

func identity(st *unix.Statx_t) dirID {
	return dirID{mount: st.Mnt_id, ino: st.Ino, major: st.Dev_major, minor: st.Dev_minor}
}

// removeFlat removes the files and empty directories of fd and answers the
// names of the other directories.
func removeFlat(fd int) (children []string, err error) {
	buf := direntPool.Get().(*[direntBuf]byte)
	defer direntPool.Put(buf)
	err = ReadDir(fd, buf[:], func(name []byte, _ uint64, dtype uint8) error {
		s := string(name)
		left, err := removeOne(fd, s, dtype)
		if left {
			children = append(children, s)
		}
		return err
	})
	return children, err
}
