package layerstore

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

// Compression is how a file is packed.
type Compression int

// Registries know the first three as layers; files may have the others too.
const (
	Plain Compression = iota
	Gzip
	Zstd
	Bzip2
	XZ
)

// HeadLen is how many bytes of a file's begin tell its compression.
const HeadLen = 10

// Magic numbers: RFC 1952 section 2.3.1, RFC 8878 section 3.1.1, the .xz file format
// section 2.1.1.1.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	// skippableMagic comes behind a byte from 0x50 to 0x5f.
	skippableMagic = []byte{0x2a, 0x4d, 0x18}
	xzMagic        = []byte{0xfd, '7', 'z', 'X', 'Z', 0}
	// A stream of bzip2 begins with these letters, a digit, and a block or the end.
	bzip2Magic = []byte("BZh")
	bzip2Block = []byte{0x31, 0x41, 0x59, 0x26, 0x53, 0x59}
	bzip2End   = []byte{0x17, 0x72, 0x45, 0x38, 0x50, 0x90}
)

// CompressionOf tells how a file with that begin is packed: media types are often
// wrong, and docker's archives have none.
func CompressionOf(head []byte) Compression {
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		return Gzip
	case isZstd(head):
		return Zstd
	case bytes.HasPrefix(head, xzMagic):
		return XZ
	case isBzip2(head):
		return Bzip2
	}
	return Plain
}

// isZstd knows a frame, and one to be skipped (RFC 8878 section 3.1.2), in which
// tools keep what is their own.
func isZstd(head []byte) bool {
	return bytes.HasPrefix(head, zstdMagic) ||
		len(head) > 0 && head[0]&0xf0 == 0x50 && bytes.HasPrefix(head[1:], skippableMagic)
}

// isBzip2 needs more than the letters, with which a tar may begin too.
func isBzip2(head []byte) bool {
	return len(head) >= HeadLen && bytes.HasPrefix(head, bzip2Magic) && '1' <= head[3] && head[3] <= '9' &&
		(bytes.HasPrefix(head[4:], bzip2Block) || bytes.HasPrefix(head[4:], bzip2End))
}

// maxWindow is how much of what was unpacked a decompressor keeps in memory: what xz -9
// and zstd --long ask for, where a file of a few bytes may ask for 4 GiB.
const maxWindow = 128 << 20

// Decompress answers the tar in a file's bytes, which themselves say how they are
// packed.
func Decompress(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 256<<10)
	head, err := b.Peek(HeadLen)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch CompressionOf(head) {
	case Gzip:
		return gzip.NewReader(b)
	case Zstd:
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(b)), nil
	case XZ:
		x, err := xz.NewReader(b, maxWindow)
		return io.NopCloser(x), err
	}
	return io.NopCloser(b), nil
}

// compressor writes the form in which layers are kept that are made here: gzip,
// which every registry and every tool takes. Same bytes, same result.
func compressor(w io.Writer) (*gzip.Writer, error) {
	return gzip.NewWriterLevel(w, gzip.BestSpeed+2)
}
