package fstest

import (
	"fmt"
	"strings"
)

// String is the stack's description, as a table would hold it.
func (l Layers) String() string {
	var b strings.Builder
	for i, text := range l.Lower {
		fmt.Fprintf(&b, "-- lower %d\n%s", i, text)
	}
	if l.Upper != "" {
		fmt.Fprintf(&b, "-- upper\n%s", l.Upper)
	}
	return b.String()
}

// paths are those that any layer names, hidden or not.
func (l Layers) paths() []string {
	var out []string
	for _, text := range append(l.Lower[:len(l.Lower):len(l.Lower)], l.Upper) {
		for _, line := range strings.Split(text, "\n") {
			words, err := splitLine(line)
			if err == nil && len(words) > 1 && words[0] != "format" {
				out = append(out, words[1])
			}
		}
	}
	return out
}
