package plugin

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// nameLimit is the longest name of a file: plugins make files of names.
const nameLimit = 255

var pluginName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// checkPluginName makes sure that the name with an ending is one file's name.
func checkPluginName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the volume plugin has no name: say which, as in --driver rclone")
	case strings.ContainsAny(name, "/:"):
		return fmt.Errorf("%q is no name of a volume plugin: plugins that Docker installs from a registry run inside Docker alone; a plugin of this machine has a name like \"rclone\"", shorten(name))
	case !pluginName.MatchString(name) || len(name) > nameLimit-len(".sock"):
		return fmt.Errorf("%q is no name of a volume plugin: letters, digits, and \"_\", \".\", \"-\" after the first of them", shorten(name))
	}
	return nil
}

// checkVolumeName refuses names that are no name of a file, since plugins make
// paths of them. All else is the plugin's to judge.
func checkVolumeName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the volume has no name")
	case name == "." || name == ".." || strings.Contains(name, "/"):
		return fmt.Errorf("%q is no name of a volume: it must not be or hold a path", shorten(name))
	case len(name) > nameLimit:
		return fmt.Errorf("the volume name %q is too long: %d bytes are allowed", shorten(name), nameLimit)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return fmt.Errorf("%q is no name of a volume: it has characters that can't be shown", shorten(name))
	}
	return nil
}

// shorten makes text of others fit for one line of a message.
func shorten(text string) string {
	const limit = 300
	text = strings.ToValidUTF8(text, "�")
	words := strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsGraphic(r)
	})
	text = strings.Join(words, " ")
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}
