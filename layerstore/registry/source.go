package registry

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"unionfs/layerstore"
)

// Source is what Load reads: a file, a folder or a stream.
type Source struct {
	// Path is an archive or a folder with an OCI layout; "" when there is a
	// Reader.
	Path string
	// Reader streams an archive.
	Reader io.Reader
	// Ref picks one image of several: a name, or what an OCI layout calls it.
	Ref string
}

// ParseSource reads the words in which users say what to load: a path, or one
// with a transport in front as skopeo and podman have it: docker-archive:FILE,
// oci-archive:FILE and oci:FOLDER, each with :REF behind it or without.
func ParseSource(word string) Source {
	for _, transport := range [...]string{"docker-archive:", "oci-archive:", "oci:"} {
		if rest, ok := strings.CutPrefix(word, transport); ok {
			path, ref, _ := strings.Cut(rest, ":")
			return Source{Path: path, Ref: ref}
		}
	}
	return Source{Path: word}
}

func (s Source) String() string {
	if s.Path == "" {
		return "the input"
	}
	return s.Path
}

// open makes the source's files readable in any order. A stream, and what is
// compressed, is kept aside in the stage.
func (s Source) open(ctx context.Context, st *layerstore.Stage) (files, error) {
	if s.Path == "" {
		return spool(ctx, st, s.Reader)
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if fi.IsDir() {
		f.Close()
		return openFolder(s.Path)
	}
	if fi.Mode().IsRegular() {
		if packed, err := compressionOf(f); err == nil && packed == layerstore.Plain {
			return indexTar(f)
		}
	}
	defer f.Close()
	return spool(ctx, st, f)
}

// spool reads an archive from what is kept aside of it, uncompressed.
func spool(ctx context.Context, st *layerstore.Stage, r io.Reader) (files, error) {
	f, _, err := aside(ctx, st, r)
	if err != nil {
		return nil, err
	}
	return indexTar(f)
}

// aside writes what is read to a file of the stage, uncompressed.
func aside(ctx context.Context, st *layerstore.Stage, r io.Reader) (f *os.File, size int64, err error) {
	plain, err := layerstore.Decompress(bufio.NewReaderSize(r, 1<<20))
	if err != nil {
		return nil, 0, err
	}
	defer plain.Close()
	if f, err = st.TempFile(); err != nil {
		return nil, 0, err
	}
	if size, err = io.Copy(f, ended{ctx, plain}); err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("reading it: %w", err)
	}
	return f, size, nil
}

// ended is a reader that ends with its context.
type ended struct {
	ctx context.Context
	r   io.Reader
}

func (e ended) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(p)
}
