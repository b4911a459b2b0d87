package whiteout

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// unmet ends a test whose need isn't met: on CI that is a failure.
func unmet(t *testing.T, why string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %v", why, err)
	}
	t.Skipf("%s: %v", why, err)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func handle(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() { hostfs.Close(fd) })
	return fd
}

// hostNamespace is the xattr namespace that works in dirfd.
func hostNamespace(t *testing.T, dirfd int) Namespace {
	t.Helper()
	_, caps, err := Probe(dirfd, false)
	check(t, err)
	if !caps.Xattrs {
		unmet(t, "this test needs xattrs", unix.EOPNOTSUPP)
	}
	return caps.Namespace
}

// codecs are those that write to directories.
func codecs(ns Namespace) []Codec {
	return []Codec{NewCodec(FormatOverlay, ns), NewCodec(FormatXattr, ns), NewCodec(FormatAufs, ns)}
}

// classes reads a directory as the union does.
func classes(t *testing.T, dirfd int) (plain []string, hides map[string]bool, opaque bool) {
	t.Helper()
	m, err := ReadDirMarks(dirfd, "")
	check(t, err)
	opaque, hides = m.Opaque, map[string]bool{}
	check(t, hostfs.ListDir(dirfd, "", func(name []byte, _ uint64, dtype uint8) error {
		class, of, err := Classify(dirfd, m, name, dtype)
		switch class {
		case Plain:
			plain = append(plain, string(name))
		case WhiteoutOf:
			hides[string(of)] = true
		case OpaqueMarker:
			opaque = true
		}
		return err
	}))
	return plain, hides, opaque
}
