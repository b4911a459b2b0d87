package runner

import (
	"io"

	"unionfs/runner/sandbox"
)

// What Get, Put and Stat do for containers, for any directory that is a root: the
// files of a volume, say. It may be in a mount that this process serves.

// PackPath writes an archive of a path beneath the directory root.
func PackPath(root int, name string, follow bool, w io.Writer) error {
	return packBelow(root, sandbox.IDMaps{}, name, follow, w)
}

// UnpackPath unpacks an archive into a directory beneath the directory root.
func UnpackPath(root int, dir string, in io.Reader) error {
	return unpackBelow(root, sandbox.IDMaps{}, dir, in)
}

// StatPath tells what a path beneath the directory root is.
func StatPath(root int, name string) PathInfo { return statBelow(root, name) }
