package fstest

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind says which system calls an Op stands for.
type Kind uint8

// The kinds. Those with Held work on a descriptor slot that Hold filled, so
// that descriptors live across copy-up, rename and unlink.
const (
	Create       Kind = iota // open(Path, O_CREAT|O_EXCL, Mode), write Data
	Mkdir                    // mkdir(Path, Mode)
	Mknod                    // mknod(Path, Mode with type, Len as device)
	Symlink                  // symlink(To, Path)
	Link                     // link(Path, To), not following
	Unlink                   // unlink(Path)
	Rmdir                    // rmdir(Path)
	Rename                   // renameat2(Path, To, Flags)
	Write                    // open(Path, O_WRONLY), pwrite Data at Off
	Append                   // open(Path, O_CREAT|O_APPEND), write Data
	Truncate                 // truncate(Path, Len), following symlinks
	OpenTrunc                // open(Path, O_CREAT|O_TRUNC), write Data
	Chmod                    // chmod(Path, Mode), following symlinks
	Chown                    // lchown(Path, UID, GID)
	Utimes                   // utimensat(Path, Off seconds and Len nanoseconds)
	Setxattr                 // lsetxattr(Path, Name, Data, Flags)
	Removexattr              // lremovexattr(Path, Name)
	Getxattr                 // lgetxattr(Path, Name)
	Listxattr                // llistxattr(Path)
	Readdir                  // names in Path, sorted, with their types
	Read                     // whole content of Path
	Readlink                 // readlink(Path)
	Stat                     // lstat(Path)
	Fallocate                // open(Path), fallocate(Flags, Off, Len)
	Tmpfile                  // open(Path, O_TMPFILE), write Data, link at To
	Hold                     // slot = open(Path, Flags)
	HeldWrite                // pwrite(slot, Data, Off)
	HeldRead                 // all of slot
	HeldStat                 // fstat(slot)
	HeldTruncate             // ftruncate(slot, Len)
	HeldReaddir              // rewind, names in slot
	HeldSync                 // fsync(slot)
	Release                  // close(slot)
	Remount                  // all slots close, the mount goes and comes back
	numKinds
)

var kindNames = [numKinds]string{
	"Create", "Mkdir", "Mknod", "Symlink", "Link", "Unlink", "Rmdir", "Rename",
	"Write", "Append", "Truncate", "OpenTrunc", "Chmod", "Chown", "Utimes",
	"Setxattr", "Removexattr", "Getxattr", "Listxattr", "Readdir", "Read",
	"Readlink", "Stat", "Fallocate", "Tmpfile", "Hold", "HeldWrite", "HeldRead",
	"HeldStat", "HeldTruncate", "HeldReaddir", "HeldSync", "Release", "Remount",
}

func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Op is one operation as a value: it can be applied to a real directory and to
// a Model, printed, kept in a test and removed from a sequence.
type Op struct {
	Kind     Kind
	Path, To string // relative to the root, "." is the root
	Slot     int
	Flags    int
	Mode     uint32
	UID, GID int
	Off, Len int64
	Name     string // of an xattr
	Data     string
}

// String is the operation on one line, as its system call reads.
func (o Op) String() string {
	switch o.Kind {
	case Create:
		return fmt.Sprintf("create %s %04o %q", Escape(o.Path), o.Mode, clip(o.Data))
	case Mkdir:
		return fmt.Sprintf("mkdir %s %04o", Escape(o.Path), o.Mode)
	case Mknod:
		return fmt.Sprintf("mknod %s %s %04o %#x", Escape(o.Path), typeLetter(o.Mode), o.Mode&0o7777, o.Len)
	case Symlink:
		return fmt.Sprintf("symlink %s -> %s", Escape(o.Path), Escape(o.To))
	case Link:
		return fmt.Sprintf("link %s %s", Escape(o.Path), Escape(o.To))
	case Rename:
		return fmt.Sprintf("rename %s %s%s", Escape(o.Path), Escape(o.To), renameFlags(o.Flags))
	case Write, Append, OpenTrunc:
		return fmt.Sprintf("%s %s @%d %q", word(o.Kind), Escape(o.Path), o.Off, clip(o.Data))
	case Truncate:
		return fmt.Sprintf("truncate %s %d", Escape(o.Path), o.Len)
	case Chmod:
		return fmt.Sprintf("chmod %s %04o", Escape(o.Path), o.Mode)
	case Chown:
		return fmt.Sprintf("chown %s %d:%d", Escape(o.Path), o.UID, o.GID)
	case Utimes:
		return fmt.Sprintf("utimes %s %d.%09d", Escape(o.Path), o.Off, o.Len)
	case Setxattr:
		return fmt.Sprintf("setxattr %s %s=%q flags=%d", Escape(o.Path), o.Name, clip(o.Data), o.Flags)
	case Removexattr, Getxattr:
		return fmt.Sprintf("%s %s %s", word(o.Kind), Escape(o.Path), o.Name)
	case Fallocate:
		return fmt.Sprintf("fallocate %s mode=%#x @%d +%d", Escape(o.Path), o.Flags, o.Off, o.Len)
	case Tmpfile:
		return fmt.Sprintf("tmpfile in %s %04o %q link %s", Escape(o.Path), o.Mode, clip(o.Data), Escape(o.To))
	case Hold:
		return fmt.Sprintf("hold #%d %s %s", o.Slot, Escape(o.Path), openFlags(o.Flags))
	case HeldWrite:
		return fmt.Sprintf("heldwrite #%d @%d %q", o.Slot, o.Off, clip(o.Data))
	case HeldTruncate:
		return fmt.Sprintf("heldtruncate #%d %d", o.Slot, o.Len)
	case HeldRead, HeldStat, HeldReaddir, HeldSync, Release:
		return fmt.Sprintf("%s #%d", word(o.Kind), o.Slot)
	case Remount:
		return "remount"
	}
	return word(o.Kind) + " " + Escape(o.Path) // those with a path alone
}

func word(k Kind) string { return strings.ToLower(k.String()) }

// clip keeps one line one line; the whole data stands in GoString.
func clip(s string) string {
	if len(s) > 24 {
		return fmt.Sprintf("%s…%d", s[:16], len(s))
	}
	return s
}

func renameFlags(f int) string {
	switch f {
	case 0:
		return ""
	case unix.RENAME_NOREPLACE:
		return " NOREPLACE"
	case unix.RENAME_EXCHANGE:
		return " EXCHANGE"
	}
	return fmt.Sprintf(" flags=%#x", f)
}

func openFlags(f int) string {
	out := [...]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "3"}[f&unix.O_ACCMODE]
	if f&unix.O_APPEND != 0 {
		out += "|O_APPEND"
	}
	return out
}
