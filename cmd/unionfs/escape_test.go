package main

import (
	"slices"
	"strings"
	"testing"
)

func TestUnescape(t *testing.T) {
	for typed, want := range map[string]string{
		`/a`: `/a`, `/a\:b`: `/a:b`, `/a\,b`: `/a,b`, `/a\\b`: `/a\b`, `/a\`: `/a\`,
		`/a\054b`: `/a,b`, `/a\040b`: `/a b`, `/a\05`: `/a05`, `/a\477`: `/a477`,
		`/a\000`: `/a000`, "/\xff\\:": "/\xff:",
	} {
		if got := unescape(typed); got != want {
			t.Errorf("unescape(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestSplitOptions(t *testing.T) {
	for typed, want := range map[string][]string{
		``:                           nil,
		`,,`:                         nil,
		`a,b`:                        {`a`, `b`},
		`lowerdir=x\,y,,volatile`:    {`lowerdir=x\,y`, `volatile`},
		`context="u:r:t:s0:c1,c2",a`: {`context="u:r:t:s0:c1,c2"`, `a`},
		`context="open,a`:            {`context="open,a`},
		`context="",a`:               {`context=""`, `a`},
		`upperdir="x,y"`:             {`upperdir="x`, `y"`},
	} {
		if got := splitOptions(typed); !slices.Equal(got, want) {
			t.Errorf("splitOptions(%q) = %q, want %q", typed, got, want)
		}
	}
}

// FuzzOptions: no string panics, and what escape wrote reads back as it was,
// as a layer among others and as a single path.
func FuzzOptions(f *testing.F) {
	for _, seed := range []string{
		"", ",,", "lowerdir=a:b", `lowerdir=a\:b:c\\`, "uidmapping=:0:1:2:::", "timeout=1e400",
		`context="a,b`, "lowerdir+=x", "=", "sync=", `\`, "squash_to_uid=-1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		s := newSettings()
		if err := s.apply(typed); err != nil && strings.TrimSpace(err.Error()) == "" {
			t.Errorf("apply(%q) gives an error without words", typed)
		}
		if typed == "" {
			return
		}
		path := "/" + typed
		read := newSettings()
		line := "lowerdir=" + escape(path) + ":/other,upperdir=" + escape(path) + ",lowerdir+=" + escape(path)
		if err := read.apply(line); err != nil {
			t.Fatalf("apply(%q): %v", line, err)
		}
		if want := []string{path, "/other", path}; !slices.Equal(read.config.Union.Lower, want) {
			t.Errorf("layers of %q read as %q, want %q", line, read.config.Union.Lower, want)
		}
		if read.config.Union.Upper != path {
			t.Errorf("upper of %q read as %q, want %q", line, read.config.Union.Upper, path)
		}
	})
}
