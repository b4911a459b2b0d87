package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ParseVolume reads what --volume says: SOURCE:TARGET[:OPTIONS], or TARGET
// alone for an anonymous volume. A source with a slash in it, or a dot at its
// beginning, is a path, any other the name of a volume.
func ParseVolume(word string) (Mount, error) {
	if err := checkText(word); err != nil {
		return Mount{}, err
	}
	parts := strings.Split(word, ":")
	switch {
	case len(parts) > 3:
		return Mount{}, errors.New("SOURCE:TARGET[:OPTIONS] is expected (a path with a colon in it needs --mount)")
	case slices.Contains(parts, ""):
		return Mount{}, errors.New("a part is empty: TARGET or SOURCE:TARGET[:OPTIONS] is expected")
	}
	m := Mount{Type: VolumeMount, Target: parts[len(parts)-1]}
	if len(parts) > 1 {
		m.Source, m.Target = parts[0], parts[1]
		if isPath(m.Source) {
			m.Type = BindMount
		}
	}
	if len(parts) == 3 {
		if err := m.addOptions(strings.Split(parts[2], ",")); err != nil {
			return Mount{}, err
		}
	}
	return m, m.check()
}

func isPath(source string) bool {
	return strings.HasPrefix(source, ".") || strings.Contains(source, "/")
}

// volumeOption is a word behind the second colon.
type volumeOption struct {
	// group is what it decides; two words of a group exclude each other.
	group string
	// only is the type that it is for; "" for both.
	only MountType
	set  func(m *Mount)
}

var volumeOptions = map[string]volumeOption{
	"ro": {"access", "", func(m *Mount) { m.ReadOnly = true }},
	"rw": {"access", "", func(*Mount) {}},
	// Labels are SELinux's, which this program doesn't set.
	"z": {"label", "", func(*Mount) {}}, "Z": {"label", "", func(*Mount) {}},
	// So that it works as elsewhere: about docker on other systems.
	"consistent": {"consistency", "", func(*Mount) {}}, "cached": {"consistency", "", func(*Mount) {}},
	"delegated": {"consistency", "", func(*Mount) {}},
	"nocopy":    {"copy", VolumeMount, func(m *Mount) { m.NoCopy = true }},
	"copy":      {"copy", VolumeMount, func(*Mount) {}},
	"nocreate":  {"create", VolumeMount, func(m *Mount) { m.NoCreate = true }},
	"U":         {"owner", "", func(m *Mount) { m.Chown = true }},
	"O":         {"overlay", "", func(m *Mount) { m.Overlay = true }},
	"bind":      {"recursion", BindMount, func(m *Mount) { m.Recursion = RecursionDisabled }},
	"rbind":     {"recursion", BindMount, func(*Mount) {}},
	"idmap":     {"idmap", "", func(m *Mount) { m.IDMap = idMapOfContainer }},
}

// attributeGroups are words for the mount itself, as mount(8) has them.
var attributeGroups = map[string]string{
	"dev": "dev", "nodev": "dev", "exec": "exec", "noexec": "exec", "suid": "suid", "nosuid": "suid",
}

func volumeOptionOf(word string) (o volumeOption, ok bool) {
	if o, ok = volumeOptions[word]; ok {
		return o, true
	}
	if group, ok := attributeGroups[word]; ok {
		return volumeOption{group, "", func(m *Mount) { m.Attributes = append(m.Attributes, word) }}, true
	}
	if slices.Contains(propagations, word) {
		return volumeOption{"propagation", "", func(m *Mount) { m.Propagation = word }}, true
	}
	if maps, ok := strings.CutPrefix(word, "idmap="); ok {
		return volumeOption{"idmap", "", func(m *Mount) { m.IDMap = maps }}, true
	}
	return o, false
}

func (m *Mount) addOptions(words []string) error {
	seen := map[string]string{} // group → the word that decided
	for _, word := range words {
		o, ok := volumeOptionOf(word)
		switch {
		case word == "":
			return errors.New("an option is empty")
		case !ok:
			return fmt.Errorf("the option %q isn't known", word)
		case o.only != "" && o.only != m.Type:
			return fmt.Errorf("the option %q is for a %s, and %q is a %s", word, o.only, m.Source, m.Type)
		case seen[o.group] == word:
			continue
		case seen[o.group] != "":
			return fmt.Errorf("the options %q and %q exclude each other", seen[o.group], word)
		}
		seen[o.group] = word
		o.set(m)
	}
	return nil
}
