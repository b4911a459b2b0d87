package layerstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
)

// BlobPath is where the bytes of d are, if they are there.
func (s *Store) BlobPath(d Digest) string { return s.path("blobs", "sha256", d.Hex()) }

// HasBlob tells whether the store has the bytes of d.
func (s *Store) HasBlob(d Digest) bool {
	_, err := os.Lstat(s.BlobPath(d))
	return d != "" && err == nil
}

// OpenBlob opens the bytes of d for reading.
func (s *Store) OpenBlob(d Digest) (*os.File, error) {
	f, err := os.Open(s.BlobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the store has no blob %s: pull the image again", d)
	}
	return f, err
}

// ReadBlob reads a small blob (a config, a manifest) and checks it.
func (s *Store) ReadBlob(d Digest) ([]byte, error) {
	data, err := os.ReadFile(s.BlobPath(d))
	if err != nil {
		return nil, err
	}
	if got := DigestOf(data); got != d {
		return nil, fmt.Errorf("blob %s is damaged (it hashes to %s): run system check --repair", d, got)
	}
	return data, nil
}

// PutBlob stores bytes that are in memory.
func (st *Stage) PutBlob(data []byte) (Digest, error) {
	d := DigestOf(data)
	if err := st.Hold([]Digest{d}, nil); err != nil || st.s.HasBlob(d) {
		return d, err
	}
	return d, writeFile(st.s.BlobPath(d), data)
}

// BlobSource is a blob somewhere else.
type BlobSource struct {
	Digest Digest
	Size   int64 // in bytes; -1 when unknown
	// Open answers the bytes from offset on. One that can't begin in the
	// middle answers errors.ErrUnsupported for offsets but 0.
	Open func(ctx context.Context, offset int64) (io.ReadCloser, error)
	// Progress is told how many bytes came, and of old ones that are there
	// already; may be nil.
	Progress func(n int64)
}

// Fetch brings a blob into the store unless it is there. A transfer that was
// cut off goes on where it ended, in this process or another.
func (st *Stage) Fetch(ctx context.Context, src BlobSource) error {
	if err := st.Hold([]Digest{src.Digest}, nil); err != nil {
		return err
	}
	if st.s.HasBlob(src.Digest) {
		src.tell(src.Size)
		return nil
	}
	partial := st.s.path("partial", src.Digest.Hex())
	l, err := lockFileUntil(ctx, partial) // another process may be fetching it
	if err != nil {
		return err
	}
	defer l.release()
	if st.s.HasBlob(src.Digest) {
		_ = os.Remove(partial) // made by our own waiting for it
		src.tell(src.Size)
		return nil
	}
	return st.fetch(ctx, src, partial, l.f)
}

func (src *BlobSource) tell(n int64) {
	if src.Progress != nil && n > 0 {
		src.Progress(n)
	}
}

func (st *Stage) fetch(ctx context.Context, src BlobSource, partial string, f *os.File) error {
	h := sha256.New()
	have, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if src.Size >= 0 && have > src.Size {
		if have, err = 0, restart(f); err != nil {
			return err
		}
		h.Reset()
	}
	total, err := src.receive(ctx, f, h, have)
	if err != nil {
		return err
	}
	if got := sumOf(h); got != src.Digest || src.Size >= 0 && total != src.Size {
		_ = os.Remove(partial) // of no use to anybody
		return &DigestError{Want: src.Digest, Got: got}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(partial, st.s.BlobPath(src.Digest)); err != nil {
		return err
	}
	return syncDir(st.s.path("blobs", "sha256"))
}

// receive appends to f, which has the first have bytes, and hashes what comes.
// It answers how many bytes there are in the end.
func (src *BlobSource) receive(ctx context.Context, f *os.File, h hash.Hash, have int64) (int64, error) {
	if have == src.Size {
		src.tell(have)
		return have, nil // cut off just before its publication
	}
	body, err := src.Open(ctx, have)
	if have > 0 && errors.Is(err, errors.ErrUnsupported) {
		if have, err = 0, restart(f); err == nil {
			h.Reset()
			body, err = src.Open(ctx, 0)
		}
	}
	if err != nil {
		return have, err
	}
	defer body.Close()
	src.tell(have)
	limit := int64(1) << 62
	if src.Size >= 0 {
		limit = src.Size - have + 1 // one more byte is already too many
	}
	n, err := io.Copy(io.MultiWriter(f, h), counting{ctx, io.LimitReader(body, limit), src.Progress})
	switch {
	case err != nil:
		return have + n, fmt.Errorf("blob %s ends after %d bytes: %w", src.Digest, have+n, err)
	case have+n < src.Size:
		return have + n, fmt.Errorf("blob %s ends after %d of %d bytes: %w", src.Digest, have+n, src.Size, io.ErrUnexpectedEOF)
	}
	return have + n, nil
}

func restart(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// DigestError says that bytes aren't those that were asked for.
type DigestError struct{ Want, Got Digest }

func (e *DigestError) Error() string {
	return fmt.Sprintf("blob %s is not what its digest says: the bytes hash to %s", e.Want, e.Got)
}

// counting ends with its context and tells of what passes.
type counting struct {
	ctx  context.Context
	r    io.Reader
	tell func(int64)
}

func (c counting) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if c.tell != nil && n > 0 {
		c.tell(int64(n))
	}
	return n, err
}
