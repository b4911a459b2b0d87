package whiteout

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// aufs is the form of names alone, which any file system can hold
// (aufs(5); fuse-overlayfs writes it too where it may make no device).
type aufs struct{}

// aufsMode is the mode that aufs gives its marks.
const aufsMode = 0o444

func (aufs) Format() Format { return FormatAufs }

func (aufs) Encode(m Mark) (Entry, error) { return encodeAufs(m) }

func (aufs) Decode(e Entry) (Mark, bool) {
	if e.Mode&unix.S_IFMT != unix.S_IFREG || e.Size != 0 || isPlainName(e) {
		return Mark{}, false
	}
	return decodeAufsName(e.Name)
}

func isPlainName(e Entry) bool {
	for ns := range namespaces {
		if _, ok := e.Xattrs[ns.Name(PlainName)]; ok {
			return true
		}
	}
	return false
}

func (aufs) MarkName(name string) string { return AufsPrefix + name }

func (aufs) Make(dirfd int, name string) error {
	e, err := encodeAufs(Mark{Kind: MarkWhiteout, Name: name})
	if err != nil {
		return err
	}
	return makeEmpty(dirfd, e.Name)
}

func (aufs) MakeOpaque(dirfd int) error { return makeAufsOpaque(dirfd) }

func (aufs) ClearOpaque(dirfd int) error { return clearOpaque(dirfd) }

// makeAufsOpaque is no change of the directory to its users: its times stay.
func makeAufsOpaque(dirfd int) error {
	var st unix.Statx_t
	if err := hostfs.Statx(dirfd, "", &st); err != nil {
		return err
	}
	if err := makeEmpty(dirfd, AufsOpaque); err != nil {
		if err == unix.EEXIST {
			return nil
		}
		return err
	}
	return hostfs.Utimes(dirfd, "", hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime))
}

func makeEmpty(dirfd int, name string) error {
	fd, err := hostfs.Open(dirfd, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, aufsMode)
	if err == nil {
		hostfs.Close(fd)
	}
	return err
}
