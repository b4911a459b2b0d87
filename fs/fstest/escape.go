package fstest

import (
	"fmt"
	"strconv"
	"strings"
)

// Escape writes any byte string as one printable word: bytes that are white
// space, not ASCII or would end a field become \xHH. File names are bytes, not
// text, so a line of a snapshot has to hold those that are no UTF-8 too.
func Escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f || c == '\\' || c == '"' || c == '=':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Unescape is the inverse of Escape.
func Unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	out, err := strconv.Unquote(`"` + s + `"`)
	if err != nil {
		return "", fmt.Errorf("%s: not an escaped name", s)
	}
	return out, nil
}
