package main

import (
	"slices"
	"strings"
)

// option is one row of the table of mount options: how it is typed, what the
// help says, and what it sets. The help, the manual page and the parser all
// read the same rows.
type option struct {
	name string
	// value names what stands behind the equal sign; empty means that the
	// option stands alone.
	value string
	// alone allows a row with a value to be typed without one.
	alone bool
	help  string
	set   func(s *settings, value string) error
}

// section is a heading of the help and the rows below it.
type section struct {
	title string
	rows  []option
}

// sections is the whole table, in the order of the help.
func sections() []section {
	return []section{
		{"Layers", layerOptions},
		{"Owners and permissions", idOptions},
		{"Keeping and caching", cacheOptions},
		{"General", generalOptions},
		{"Read and ignored, for those who type them for other programs", ignoredOptions},
	}
}

// findOption gives the row of name.
func findOption(name string) (option, bool) {
	for _, sec := range sections() {
		i := slices.IndexFunc(sec.rows, func(o option) bool { return o.name == name })
		if i >= 0 {
			return sec.rows[i], true
		}
	}
	return option{}, false
}

// apply reads one argument of -o into s. Options come in any order and any
// number; where one is typed twice the later wins.
func (s *settings) apply(words string) error {
	for _, word := range splitOptions(words) {
		if err := s.applyOne(word); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) applyOne(word string) error {
	name, value, hasValue := cutOption(word)
	row, known := findOption(name)
	if !known {
		s.ignore(word, name)
		return nil
	}
	switch {
	case hasValue && row.value == "":
		return usagef("option %s takes no value, but %q was given", name, word)
	case !hasValue && row.value != "" && !row.alone:
		return usagef("option %s needs a value: %s=%s", name, name, row.value)
	}
	return row.set(s, value)
}

// cutOption splits NAME=VALUE. "lowerdir+=" is a name of its own.
func cutOption(word string) (name, value string, hasValue bool) {
	name, value, hasValue = strings.Cut(word, "=")
	return name, value, hasValue
}

// ignore keeps a word that the table doesn't know for one warning. Words that
// only mean something to mount(8) and systemd are nothing at all: fstab(5)
// reserves x- and X- and comment= for them.
func (s *settings) ignore(word, name string) {
	if strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-") || name == "comment" {
		return
	}
	if !slices.Contains(s.unknown, word) {
		s.unknown = append(s.unknown, word)
	}
}
