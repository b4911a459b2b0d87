package driver

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// bigFile is the size of a file that shows who copies layers.
const bigFile = 3 << 20

type member struct {
	name, text string
	h          tar.Header
}

func archive(t *testing.T, members ...member) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range members {
		h := m.h
		h.Name, h.Size = m.name, int64(len(m.text))
		h.Uid, h.Gid = os.Geteuid(), os.Getegid() // who is to write there
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if strings.HasSuffix(m.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// image puts the layers into the store, held to the end of the test.
func (b *bench) image() {
	b.Helper()
	st, err := b.s.Begin()
	b.must(err)
	b.Cleanup(st.Close)
	b.chain = addLayers(b.T, st,
		archive(b.T,
			member{name: "./"}, member{name: "etc/"}, member{name: "etc/passwd", text: "root:x:0:0::/:/bin/sh\n"},
			member{name: "etc/gone", text: "gone"}, member{name: "data/"}, member{name: "data/old", text: "old"},
			member{name: "data/deep/"}, member{name: "data/deep/file", text: "deep"},
			member{name: "bin/"}, member{name: "bin/tool", text: strings.Repeat("tool", 5000), h: tar.Header{Mode: 0o4755}},
			member{name: "bin/again", h: tar.Header{Typeflag: tar.TypeLink, Linkname: "bin/tool"}},
			member{name: "bin/link", h: tar.Header{Typeflag: tar.TypeSymlink, Linkname: "tool"}},
			member{name: "big", text: strings.Repeat("big", bigFile/3)},
			member{name: "marked", text: "x", h: tar.Header{PAXRecords: map[string]string{"SCHILY.xattr.user.note": "kept"}}}),
		archive(b.T,
			member{name: "etc/"}, member{name: "etc/.wh.gone"}, member{name: "data/"}, member{name: "data/.wh..wh..opq"}, member{name: "data/new", text: "new"},
			member{name: "etc/passwd", text: "root:x:0:0::/root:/bin/sh\n"}),
		archive(b.T, member{name: "./"}, member{name: "top", text: "top"}))
}
