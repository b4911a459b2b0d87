package sandbox

import (
	"golang.org/x/sys/unix"
)

// cstring is a path or a word as system calls want it.
func cstring(s string) (*byte, error) { return unix.BytePtrFromString(s) }

// cstrings is an argument vector or an environment.
func cstrings(words []string) ([]*byte, error) {
	out := make([]*byte, 0, len(words)+1)
	for _, w := range words {
		p, err := cstring(w)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return append(out, nil), nil
}
