package whiteout

import (
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Caps is what the host file system of a work directory lets us do.
type Caps struct {
	Format         Format
	Namespace      Namespace
	Xattrs         bool // Namespace works on files and directories
	RenameWhiteout bool
	Exchange       bool
	TmpFile        bool // also to be linked later
	Mknod          bool // the device 0:0
}

// probes numbers the scratch directories of this process.
var probes atomic.Uint64

// Probe finds out by doing: everything is tried in a scratch directory in the
// work directory, which is then removed. forceUser leaves trusted.* alone. An
// error means that not even the scratch directory could be made.
func Probe(workfd int, forceUser bool) (Codec, Caps, error) {
	scratch := "#probe-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(probes.Add(1), 10)
	if err := hostfs.RemoveAll(workfd, scratch); err != nil {
		return nil, Caps{}, err
	}
	if err := hostfs.Mkdir(workfd, scratch, 0o700); err != nil {
		return nil, Caps{}, err
	}
	caps, err := probeIn(workfd, scratch, forceUser)
	if rerr := hostfs.RemoveAll(workfd, scratch); err == nil {
		err = rerr
	}
	if err != nil {
		return nil, Caps{}, err
	}
	return NewCodec(caps.Format, caps.Namespace), caps, nil
}

func probeIn(workfd int, scratch string, forceUser bool) (Caps, error) {
	dir, err := hostfs.OpenDir(workfd, scratch)
	if err != nil {
		return Caps{}, err
	}
	defer hostfs.Close(dir)
	if err := makeEmpty(dir, "a"); err != nil {
		return Caps{}, err
	}
	caps := Caps{Namespace: User, Mknod: probeMknod(dir), TmpFile: probeTmpFile(dir)}
	switch {
	case !forceUser && probeXattr(dir, Trusted):
		caps.Namespace, caps.Xattrs = Trusted, true
	case probeXattr(dir, User):
		caps.Xattrs = true
	}
	caps.Exchange = probeExchange(dir)
	caps.RenameWhiteout = probeRenameWhiteout(dir)
	caps.Format = pick(caps)
	return caps, nil
}

func pick(caps Caps) Format {
	switch {
	case caps.Mknod:
		return FormatOverlay
	case caps.Xattrs:
		return FormatXattr
	}
	return FormatAufs
}

// probeXattr sets one of ours and reads it back: a few hosts take what they
// don't keep.
func probeXattr(dir int, ns Namespace) bool {
	attr := ns.Name(Origin)
	if hostfs.Setxattr(dir, "", attr, []byte("probe"), 0) != nil {
		return false
	}
	value, err := hostfs.GetxattrAll(dir, "", attr)
	return err == nil && string(value) == "probe" && hostfs.Removexattr(dir, "", attr) == nil
}

func probeMknod(dir int) bool {
	return hostfs.Mknod(dir, "dev", unix.S_IFCHR, 0) == nil && isDevice(dir, "dev")
}

func isDevice(dir int, name string) bool {
	class, _, err := Classify(dir, DirMarks{}, []byte(name), unix.DT_UNKNOWN)
	return err == nil && class == WhiteoutOf
}

func probeTmpFile(dir int) bool {
	fd, err := hostfs.OpenTmp(dir, unix.O_RDWR, 0o600)
	if err != nil {
		return false
	}
	defer hostfs.Close(fd)
	return hostfs.Link(fd, "", dir, "tmp") == nil
}

func probeExchange(dir int) bool {
	return makeEmpty(dir, "b") == nil && hostfs.Rename(dir, "a", dir, "b", unix.RENAME_EXCHANGE) == nil
}

func probeRenameWhiteout(dir int) bool {
	return hostfs.Rename(dir, "a", dir, "moved", unix.RENAME_WHITEOUT) == nil && isDevice(dir, "a")
}
