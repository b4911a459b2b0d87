package fstest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// splitLine cuts a line into words. A part in double quotes (Go syntax)
// belongs to its word, blanks included; # begins a comment.
func splitLine(line string) ([]string, error) {
	var words []string
	for {
		line = strings.TrimLeft(line, " \t\r")
		if line == "" || line[0] == '#' {
			return words, nil
		}
		word, rest, err := nextWord(line)
		if err != nil {
			return nil, err
		}
		words, line = append(words, word), rest
	}
}

func nextWord(line string) (word, rest string, err error) {
	i := 0
	for i < len(line) && line[i] != ' ' && line[i] != '\t' {
		if line[i] != '"' {
			i++
			continue
		}
		quoted, err := strconv.QuotedPrefix(line[i:])
		if err != nil {
			return "", "", errors.New("quote without end")
		}
		i += len(quoted)
	}
	return line[:i], line[i:], nil
}

// splitAttrs parts plain arguments from the key=value words. What is quoted is
// content, whatever it holds; a lone = belongs to hardlink.
func splitAttrs(words []string) (args, attrs []string) {
	for _, w := range words {
		key, _, found := strings.Cut(w, "=")
		if found && key != "" && !strings.HasPrefix(w, `"`) {
			attrs = append(attrs, w)
		} else {
			args = append(args, w)
		}
	}
	return args, attrs
}

// parseValue reads "quoted", 0sHEX or a bare word.
func parseValue(s string) (string, error) {
	switch {
	case strings.HasPrefix(s, `"`):
		return strconv.Unquote(s)
	case strings.HasPrefix(s, "0s"):
		raw, err := hex.DecodeString(s[2:])
		return string(raw), err
	}
	return Unescape(s)
}

func parseMode(args []string, fallback uint32) (uint32, []string, error) {
	if len(args) == 0 || args[0] == "" || args[0][0] != '0' {
		return fallback, args, nil
	}
	mode, err := strconv.ParseUint(args[0], 8, 32)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: not an octal mode", args[0])
	}
	return uint32(mode), args[1:], nil
}

func parseStamp(s string) (Stamp, error) {
	sec, frac, _ := strings.Cut(s, ".")
	var at Stamp
	var err error
	if at.Sec, err = strconv.ParseInt(sec, 10, 64); err != nil {
		return at, err
	}
	if frac == "" {
		return at, nil
	}
	at.Nsec, err = strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	return at, err
}

func parseNumbers(args []string, n int) ([]int64, error) {
	if len(args) < n {
		return nil, fmt.Errorf("%d numbers needed", n)
	}
	out := make([]int64, n)
	for i := range n {
		v, err := strconv.ParseInt(args[i], 10, 64)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}
