package fstest

import "golang.org/x/sys/unix"

// Apply does the operation on the model.
func (m *Model) Apply(o Op) Result {
	r, errno := modelKinds[o.Kind](m, o)
	r.Errno = errno
	return r
}

// modelPlain lifts those that show nothing but their errno.
func modelPlain(f func(m *Model, o Op) unix.Errno) func(*Model, Op) (Result, unix.Errno) {
	return func(m *Model, o Op) (Result, unix.Errno) { return Result{}, f(m, o) }
}

var modelKinds = [numKinds]func(*Model, Op) (Result, unix.Errno){
	Create:   modelPlain((*Model).create),
	Mkdir:    modelPlain((*Model).mkdir),
	Mknod:    modelPlain((*Model).mknod),
	Symlink:  modelPlain((*Model).symlink),
	Link:     modelPlain((*Model).link),
	Unlink:   modelPlain((*Model).unlink),
	Rmdir:    modelPlain((*Model).rmdir),
	Rename:   modelPlain((*Model).rename),
	Write:    modelPlain(func(m *Model, o Op) unix.Errno { return m.put(o, unix.O_WRONLY) }),
	Append:   modelPlain(func(m *Model, o Op) unix.Errno { return m.put(o, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND) }),
	Truncate: modelPlain((*Model).truncate),
	OpenTrunc: modelPlain(func(m *Model, o Op) unix.Errno {
		return m.put(o, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC)
	}),
	Chmod:        modelPlain((*Model).chmod),
	Chown:        modelPlain((*Model).chown),
	Utimes:       modelPlain((*Model).utimes),
	Setxattr:     modelPlain((*Model).setxattr),
	Removexattr:  modelPlain((*Model).removexattr),
	Getxattr:     (*Model).getxattr,
	Listxattr:    (*Model).listxattr,
	Readdir:      (*Model).readdir,
	Read:         (*Model).read,
	Readlink:     (*Model).readlink,
	Stat:         (*Model).stat,
	Fallocate:    modelPlain((*Model).fallocate),
	Tmpfile:      modelPlain((*Model).tmpfile),
	Hold:         modelPlain((*Model).hold),
	HeldWrite:    modelPlain((*Model).heldWrite),
	HeldRead:     (*Model).heldRead,
	HeldStat:     (*Model).heldStat,
	HeldTruncate: modelPlain((*Model).heldTruncate),
	HeldReaddir:  (*Model).heldReaddir,
	HeldSync:     modelPlain((*Model).heldSync),
	Release:      modelPlain((*Model).release),
	Remount:      modelPlain((*Model).remount),
}
