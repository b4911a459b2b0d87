package volumes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// In a user namespace a volume that has to be mounted is mounted at its place, in
// the mount namespace of the command that is its first user. Those who want it too
// must be in that namespace. Each command that works in one has a file locked,
// together with all others there: when nobody has it any more, the servers of
// mounts in the namespace, which keep it alive, end.

const namespacesDir = ".namespaces"

// NamespaceFile is the file of a mount namespace, which is known by its inode, in
// the store of dir.
func NamespaceFile(dir string, inode uint64) string {
	return filepath.Join(dir, namespacesDir, fmt.Sprint(inode))
}

// NamespaceOf answers the inode of a process' mount namespace.
func NamespaceOf(pid string) (uint64, error) {
	var st unix.Stat_t
	name := filepath.Join("/proc", pid, "ns/mnt")
	if err := unix.Stat(name, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return st.Ino, nil
}

// EnterNamespace locks a namespace's file for somebody who works there, or is about
// to. The lock ends with the file. Files of namespaces that are gone are removed.
func EnterNamespace(dir string, inode uint64) (*os.File, error) {
	path := NamespaceFile(dir, inode)
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return nil, err
	}
	sweepNamespaces(filepath.Dir(path), filepath.Base(path))
	for {
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		f.Close()
		joined, err := JoinNamespace(dir, inode)
		if !errors.Is(err, fs.ErrNotExist) {
			return joined, err
		}
		// the last one there has just removed it
	}
}

// JoinNamespace is EnterNamespace where others are at work. Without a file, which is
// fs.ErrNotExist, nobody is any more, even when the one who keeps the namespace is
// still there: between the end of the last one and the moment in which the keeper
// sees it (OutliveNamespace), another one may have removed the file. Who made it
// anew would be in a namespace that nobody keeps.
func JoinNamespace(dir string, inode uint64) (*os.File, error) {
	path := NamespaceFile(dir, inode)
	for {
		l, err := flock(path, unix.LOCK_SH)
		if err != nil || l.isAt(path) {
			return l.f, err
		}
		l.release()
	}
}

// sweepNamespaces removes the files that nobody has locked, but for one.
func sweepNamespaces(dir, but string) {
	names, err := namesIn(dir)
	if err != nil {
		return // another one will
	}
	for _, name := range names {
		if name == but {
			continue
		}
		path := filepath.Join(dir, name)
		if l, err := tryLock(path); err == nil {
			if l.isAt(path) {
				_ = os.Remove(path)
			}
			l.release()
		}
	}
}

// OutliveNamespace comes back when nobody works in a namespace any more. What is
// written into the file then tells those who come too late (IsOver); the lock keeps
// them waiting until the caller, who keeps the namespace alive, ends.
func OutliveNamespace(path string) (*os.File, error) {
	l, err := flock(path, unix.LOCK_EX)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // another one has outlived it
	}
	if err == nil && l.isAt(path) {
		err = os.WriteFile(path, []byte("over\n"), 0o600)
	}
	return l.f, err
}

// IsOver tells whether the one who kept a namespace has seen it empty. The caller has
// the file locked.
func IsOver(file *os.File) bool {
	fi, err := file.Stat()
	return err != nil || fi.Size() > 0
}

// namespace is the inode of this process' mount namespace, and 0 where all commands
// see the same mounts.
func (s *Store) namespace() (uint64, error) {
	if s.o.Shared {
		return 0, nil
	}
	return NamespaceOf("self")
}
