package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMountHelpTellsEveryOption(t *testing.T) {
	text := mountText()
	for _, sec := range sections() {
		for _, row := range sec.rows {
			if !strings.Contains(text, "\n  "+row.typed()) {
				t.Errorf("the help doesn't tell of %s", row.typed())
			}
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("the line is too wide: %q", line)
		}
	}
}

func TestVersionLines(t *testing.T) {
	if got := versionLines(form{name: "unionfs"}); !strings.HasPrefix(got, "unionfs version ") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
	// Programs cut the first line at its spaces and read the last word.
	first, _, _ := strings.Cut(versionLines(form{name: "fuse-overlayfs"}), "\n")
	if first != "fuse-overlayfs: version "+standInVersion {
		t.Errorf("got %q", first)
	}
}
