package layerstore

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

// A zstd stream may begin with a frame that says nothing of the data, as those do
// that tools keep what is their own in.
func TestDecompressSkipsFrames(t *testing.T) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	frame := z.EncodeAll([]byte("hello"), nil)
	for first := byte(0x50); first <= 0x5f; first++ {
		skipped := []byte{first, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'x', 'x'}
		packed := slices.Concat(skipped, frame, skipped, frame)
		if CompressionOf(packed[:HeadLen]) != Zstd {
			t.Errorf("%#x isn't known as a frame", first)
		}
		r, err := Decompress(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || string(text) != "hellohello" {
			t.Errorf("%#x: got %q, %v", first, text, err)
		}
	}
}

// What bzip2(1) and xz(1) write is read too, and a tar isn't taken for theirs.
func TestDecompressFiles(t *testing.T) {
	for packed, want := range map[string]string{
		"QlpoOTFBWSZTWRkxZT0AAACBAAJEoAAhmmgzTQczi7kinChIDJiynoA=": "hello",
		"QlpoORdyRThQkAAAAAA=": "",
		"/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAEaGVsbG8AAAAAsTe52+XaHpsAAR0FuC2Arx+2830BAAAAAARZWg==": "hello",
	} {
		data, err := base64.StdEncoding.DecodeString(packed)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Decompress(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || string(text) != want {
			t.Errorf("%s: got %q, %v", packed, text, err)
		}
		// A damaged one is an error.
		data[len(data)-3] ^= 1
		if r, err = Decompress(bytes.NewReader(data)); err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil {
			t.Errorf("%s: damage isn't seen", packed)
		}
	}
	// One that asks for 4 GiB of memory is refused before it has any.
	greedy, err := base64.StdEncoding.DecodeString("/Td6WFoAAATm1rRGAgAhASgAAADmoBGzAQAEaGVsbG8AAAAAsTe52+XaHpsAAR0FuC2Arx+2830BAAAAAARZWg==")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Decompress(bytes.NewReader(greedy))
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if !errors.Is(err, xz.ErrMemlimit) {
		t.Errorf("a dictionary of 4 GiB: %v", err)
	}
	for _, name := range []string{"BZh9", "BZh91AY&S", "BZh9.txt/long/name", ""} {
		if c := CompressionOf([]byte(name + strings.Repeat("\x00", 100))); c != Plain {
			t.Errorf("a tar that begins with %s is taken for compression %d", name, c)
		}
	}
}
