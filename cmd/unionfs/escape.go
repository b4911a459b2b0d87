package main

import "strings"

// The one layer of escapes in an option string: a backslash takes the special
// meaning from the character behind it, so "\," is a comma inside a value,
// "\:" a colon inside a layer's name and "\\" a backslash. Three octal digits
// behind a backslash are the character of that number, as libfuse and fstab
// write it ("\054" is a comma too).

// splitEscaped cuts s at every sep that no backslash protects. The pieces keep
// their escapes, because the next level may cut them at another separator.
func splitEscaped(s string, sep byte) []string {
	var pieces []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			pieces = append(pieces, s[start:i])
			start = i + 1
		}
	}
	return append(pieces, s[start:])
}

// unescape gives the value that the escapes in s stand for. A backslash at the
// very end protects nothing and is itself.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		if c, ok := octal(s[i+1:]); ok {
			out = append(out, c)
			i += 3
			continue
		}
		i++
		out = append(out, s[i])
	}
	return string(out)
}

// octal reads three octal digits that fit a byte. NUL is left alone: no path
// can hold one.
func octal(s string) (byte, bool) {
	if len(s) < 3 || s[0] > '3' {
		return 0, false
	}
	n := 0
	for _, c := range []byte(s[:3]) {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n*8 + int(c-'0')
	}
	return byte(n), n != 0
}

// escape is the way back: unescape(escape(s)) == s, and no separator of an
// option string shows in it.
func escape(s string) string {
	return escaper.Replace(s)
}

var escaper = strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`)

// splitOptions cuts the argument of -o at its commas. mount(8) and podman put
// an SELinux label with commas in double quotes: context="…:c1,c2" is one
// option. No other value is read that way, a path may begin with a quote.
func splitOptions(s string) []string {
	pieces := splitEscaped(s, ',')
	joined := pieces[:0]
	for i := 0; i < len(pieces); i++ {
		word := pieces[i]
		for opensQuote(word) && i+1 < len(pieces) {
			i++
			word += "," + pieces[i]
		}
		if word != "" {
			joined = append(joined, word)
		}
	}
	return joined
}

// opensQuote says that word is a label option whose quote isn't closed yet.
func opensQuote(word string) bool {
	name, value, _ := strings.Cut(word, "=")
	if !strings.HasSuffix(name, "context") || !strings.HasPrefix(value, `"`) {
		return false
	}
	return len(value) == 1 || !strings.HasSuffix(value, `"`)
}
