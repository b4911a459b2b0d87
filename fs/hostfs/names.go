package hostfs

import "golang.org/x/sys/unix"

// Link gives the object oldname one more name. The old name "" links the
// descriptor olddir itself, which may be an O_TMPFILE.
func Link(olddir int, oldname string, newdir int, newname string) error {
	if oldname != "" {
		return callNames(unix.SYS_LINKAT, olddir, oldname, newdir, newname, 0)
	}
	err := callNames(unix.SYS_LINKAT, olddir, "", newdir, newname, unix.AT_EMPTY_PATH)
	if err != unix.ENOENT && err != unix.EPERM && err != unix.EINVAL {
		return err
	}
	// linkat(2): AT_EMPTY_PATH wants CAP_DAC_READ_SEARCH (until 6.10 in all
	// cases), and answers ENOENT without; the way through /proc wants none.
	proc, perr := procFD()
	if perr != nil {
		return err
	}
	var buf [procNameSize]byte
	return callNames(unix.SYS_LINKAT, proc, procName(&buf, olddir), newdir, newname, unix.AT_SYMLINK_FOLLOW)
}

// Unlink removes a name that isn't a directory's.
func Unlink(dirfd int, name string) error {
	_, err := callName(unix.SYS_UNLINKAT, dirfd, name, 0, 0, 0)
	return err
}

// Rmdir removes an empty directory.
func Rmdir(dirfd int, name string) error {
	_, err := callName(unix.SYS_UNLINKAT, dirfd, name, unix.AT_REMOVEDIR, 0, 0)
	return err
}

// Rename moves oldname to newname; flags are RENAME_NOREPLACE, RENAME_EXCHANGE
// and RENAME_WHITEOUT.
func Rename(olddir int, oldname string, newdir int, newname string, flags uint) error {
	err := callNames(unix.SYS_RENAMEAT2, olddir, oldname, newdir, newname, uintptr(flags))
	if flags == 0 && (err == unix.ENOSYS || err == unix.EINVAL) {
		// EINVAL too: a few FUSE servers refuse RENAME2 altogether. What is
		// really invalid (a directory into itself) is refused again.
		err = again(func() error { return unix.Renameat(olddir, oldname, newdir, newname) })
	}
	return err
}
