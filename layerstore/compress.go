package layerstore

import (
	"bufio"
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Magic numbers: RFC 1952 section 2.3.1, RFC 8878 section 3.1.1.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	// skippableMagic comes behind a byte from 0x50 to 0x5f.
	skippableMagic = []byte{0x2a, 0x4d, 0x18}
)

// Decompress answers the tar in a layer's bytes. What compression it is, the
// bytes themselves say: media types are often wrong, and docker's archives
// have none.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	magic, err := b.Peek(len(zstdMagic))
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		return gzip.NewReader(b)
	case IsZstd(magic):
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

// IsCompressed tells whether Decompress would have something to do.
func IsCompressed(head []byte) bool {
	return bytes.HasPrefix(head, gzipMagic) || IsZstd(head)
}

// IsZstd tells whether bytes begin as zstd does: with a frame, or with one to be
// skipped (RFC 8878 section 3.1.2), in which tools keep what is their own.
func IsZstd(head []byte) bool {
	return bytes.HasPrefix(head, zstdMagic) ||
		len(head) > 0 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], skippableMagic)
}

// compressor writes the form in which layers are kept that are made here: gzip,
// which every registry and every tool takes. Same bytes, same result.
func compressor(w io.Writer) (*gzip.Writer, error) {
	return gzip.NewWriterLevel(w, gzip.BestSpeed+2)
}
