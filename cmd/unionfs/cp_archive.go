package main

import (
	"archive/tar"
	"io"
	"path"
)

// renamed hands an archive on whose root has a name, as docker's has: that of the
// path that was copied.
func renamed(name string, in io.Reader, out io.Writer) error {
	if name == "/" || name == "." {
		_, err := io.Copy(out, in)
		return err
	}
	from, to := tar.NewReader(in), tar.NewWriter(out)
	for {
		h, err := from.Next()
		if err == io.EOF {
			return to.Close()
		}
		if err != nil {
			return err
		}
		h.Name = path.Join(name, h.Name)
		if h.Typeflag == tar.TypeLink {
			h.Linkname = path.Join(name, h.Linkname)
		}
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if err := to.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(to, from); err != nil {
			return err
		}
	}
}
