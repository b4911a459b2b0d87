package layertar

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// aufsLinks is where aufs, and so old images of Docker, kept the files that
// hard links of an archive lead to. It is made, and goes when all is done.
const aufsLinks = ".wh..wh.plnk"

// dropAufsLinks removes it; the links keep the files.
func (u *unpacker) dropAufsLinks() error {
	n := u.root.child(aufsLinks)
	if n == nil {
		return nil
	}
	u.forget(n)
	fd, err := u.fds.open(u.root)
	if err != nil {
		return err
	}
	return hostfs.RemoveAll(fd, aufsLinks)
}

// markOf tells whether an entry is a whiteout or an opaque mark (OCI
// image-spec, layer.md, "Whiteouts"). The name alone decides, whatever the entry
// is, as docker, podman, containerd and umoci have it.
func markOf(name string, e *entry) (whiteout.Mark, bool, error) {
	if !strings.HasPrefix(name, whiteout.AufsPrefix) {
		return whiteout.Mark{}, false, nil
	}
	m, ok := whiteout.NewCodec(whiteout.FormatTar, whiteout.User).Decode(whiteout.Entry{Name: name, Mode: e.kindBits()})
	if !ok {
		return m, false, fmt.Errorf("it is a whiteout of %q, which is no name", strings.TrimPrefix(name, whiteout.AufsPrefix))
	}
	return m, true, nil
}

// mark states a mark on disk. Marks are about the layers below alone: they
// never touch what the same archive holds, in whatever order.
func (u *unpacker) mark(dir *node, m whiteout.Mark) error {
	if m.Kind == whiteout.MarkOpaque {
		dir.opaque = true // finish says it
		return nil
	}
	if kid := dir.child(m.Name); kid != nil {
		// A directory must not show what is below it; a link never does.
		kid.opaque = !kid.isLink
		return nil
	}
	if u.pool.made(dir, m.Name) {
		return nil
	}
	fd, err := u.fds.open(dir)
	if err != nil {
		return err
	}
	if u.o.Codec.MarkName(m.Name) != m.Name {
		var st unix.Statx_t
		if err := hostfs.Statx(fd, m.Name, &st); err != unix.ENOENT {
			return err // nil: the file hides what is below by itself
		}
	}
	if err := u.o.Codec.Make(fd, m.Name); err != nil && err != unix.EEXIST {
		return fmt.Errorf("making the whiteout of %q: %w", m.Name, err)
	}
	return nil
}

// replaceByMark takes away what the archive had at a name, and hides what is
// below.
func (u *unpacker) replaceByMark(dir *node, name string) error {
	if err := u.clear(dir, name); err != nil {
		return err
	}
	fd, err := u.fds.open(dir)
	if err != nil {
		return err
	}
	if err := hostfs.Unlink(fd, name); err != nil && err != unix.ENOENT {
		return err
	}
	return u.mark(dir, whiteout.Mark{Kind: whiteout.MarkWhiteout, Name: name})
}
