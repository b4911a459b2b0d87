package main

import (
	"bytes"
	"testing"
)

func TestParseKeys(t *testing.T) {
	for word, want := range map[string][]byte{
		"ctrl-p,ctrl-q": {16, 17}, "a": {'a'}, "ctrl-a,x": {1, 'x'}, "ctrl-@": {0}, "ctrl-[": {27}, "": nil,
	} {
		if got, err := parseKeys(word); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: got %v, %v; want %v", word, got, err, want)
		}
	}
	for _, bad := range []string{"ctrl-", "ctrl-1", "ab", ",", "ctrl-p,"} {
		if got, err := parseKeys(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

// What is typed comes through whole, but for the keys that detach, however it
// is cut into pieces.
func TestDetacher(t *testing.T) {
	for name, row := range map[string]struct {
		pieces []string
		out    string
		detach bool
	}{
		"nothing special":      {[]string{"ls\r"}, "ls\r", false},
		"the keys":             {[]string{"ls\x10\x11more"}, "ls", true},
		"in pieces":            {[]string{"a\x10", "\x11"}, "a", true},
		"only the first":       {[]string{"\x10", "b"}, "\x10b", false},
		"the first twice":      {[]string{"\x10\x10\x11"}, "\x10", true},
		"the second by itself": {[]string{"\x11x"}, "\x11x", false},
	} {
		d := detacher{keys: []byte{16, 17}}
		var out []byte
		detached := false
		for _, piece := range row.pieces {
			text, now := d.pass([]byte(piece))
			out = append(out, text...)
			detached = detached || now
		}
		if string(out) != row.out || detached != row.detach {
			t.Errorf("%s: %q, %v; want %q, %v", name, out, detached, row.out, row.detach)
		}
	}
}

func TestParseCopy(t *testing.T) {
	for word, want := range map[string]place{
		"web:/etc":  {"web", "/etc"},
		"/etc/a:b":  {"", "/etc/a:b"},
		"./a:b":     {"", "./a:b"},
		"dir/a:b":   {"", "dir/a:b"},
		"file":      {"", "file"},
		"-":         {"", "-"},
		"web:a:b/c": {"web", "a:b/c"},
	} {
		if got := parseCopy(word); got != want {
			t.Errorf("%s: got %+v, want %+v", word, got, want)
		}
	}
}
