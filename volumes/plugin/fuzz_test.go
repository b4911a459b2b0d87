package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"unionfs/volumes"
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

// FuzzRequest: whatever comes over the socket, the driver hears names and ids
// that are no paths, and options that were allowed.
func FuzzRequest(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `null`, `{"Name":"v1"}`, `{"Name":"../v1","ID":"1"}`, `{"name":"v1","id":"1","opts":{"size":"1G"}}`,
		`{"Name":"v1","ID":"a/b"}`, `{"Name":"v1","Opts":{"device":"/etc"}}`, `{"Name":"v1","Name":"/etc"}`,
		`{"Name":"v1","Opts":{"from":"..","From":"/"}}`, `{"Name":"\u0000"}`, `{"Name":"v1","Opts":null}`, `[1]`,
	} {
		for which := range uint8(10) {
			f.Add(which, []byte(body))
		}
	}
	calls := []method{activate, create, get, list, mount, unmount, path, remove, capabilities, {path: "/VolumeDriver.Other"}}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		handler := (&Server{Driver: &suspicious{t}, Allowed: NoPaths()}).Handler()
		r := httptest.NewRequest("POST", calls[int(which)%len(calls)].path, bytes.NewReader(body))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 404 {
			var o outcome
			if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || o.Err == "" {
				t.Errorf("a refusal is %d %q", w.Code, w.Body)
			}
		}
	})
}

// suspicious is a driver that does nothing but look at what it is told.
type suspicious struct{ t *testing.T }

func (s *suspicious) look(name, id string) {
	for _, word := range []string{name, id} {
		if word == "" || word == "." || word == ".." || strings.ContainsAny(word, "/\x00\n") {
			s.t.Errorf("the driver is told of volume %q, use %q", name, id)
		}
	}
}

func (s *suspicious) Name() string                          { return "suspicious" }
func (s *suspicious) Scope(context.Context) (string, error) { return "local", nil }
func (s *suspicious) Create(_ context.Context, name string, options map[string]string) error {
	s.look(name, "-")
	for key, value := range options {
		if key != "size" && key != "from" || strings.HasPrefix(value, "/") || slices.Contains(strings.Split(value, "/"), "..") {
			s.t.Errorf("the driver is given the option %q, %q", key, value)
		}
	}
	return nil
}
func (s *suspicious) Get(_ context.Context, name string) (volumes.Info, error) {
	s.look(name, "-")
	return volumes.Info{Name: name}, nil
}
func (s *suspicious) List(context.Context) ([]volumes.Info, error) { return nil, nil }
func (s *suspicious) Mount(_ context.Context, name, id string) (string, error) {
	s.look(name, id)
	return "/mnt", nil
}
func (s *suspicious) Unmount(_ context.Context, name, id string) error {
	s.look(name, id)
	return nil
}
func (s *suspicious) Remove(_ context.Context, name string) error {
	s.look(name, "-")
	return nil
}
