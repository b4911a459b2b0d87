package plugin

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecode: whatever a plugin sends is an answer, a refusal with words, or an
// error; and what is taken over from it can be used.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `"x"`, "\ufeff{}", "404 page not found", `{"Err":null}`, `{"Err":{"a":1}}`,
		`{"Volumes":{}}`, `{"Volumes":[null]}`, `{"Volumes":[{"Name":1,"Status":[],"CreatedAt":"2016-05-01T10:00:00Z"}]}`,
		`{"Volume":{"Name":"a","Mountpoint":"/a/../b"}}`, `{"Capabilities":{"Scope":7}}`, `{"Implements":["VolumeDriver"]}`,
		`{"Mountpoint":"\u0000"}`, "\xff\xfe{", strings.Repeat(`[`, 20000), `{"Volumes":` + strings.Repeat(`{"a":`, 11000),
	} {
		f.Add(200, []byte(body))
		f.Add(500, []byte(body))
	}
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		r, err := decode(code, body)
		var said *Error
		switch {
		case errors.As(err, &said):
			if said.Text == "" || len(said.Text) > 2000 || !utf8.ValidString(said.Text) || strings.ContainsAny(said.Text, "\n\x00\x1b") {
				t.Errorf("a refusal says %q", said.Text)
			}
		case err != nil:
			if len(err.Error()) > 4000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		case code < 200 || code > 299:
			t.Errorf("HTTP %d is an answer", code)
		}
		for _, l := range append(r.Volumes, r.Volume) {
			if l == nil {
				continue
			}
			i := l.info()
			if i.Mountpoint != "" && i.Mountpoint != filepath.Clean(i.Mountpoint) {
				t.Errorf("the mountpoint is %q", i.Mountpoint)
			}
			if _, err := json.Marshal(i); err != nil {
				t.Errorf("what was taken over can't be sent on: %v", err)
			}
		}
	})
}
