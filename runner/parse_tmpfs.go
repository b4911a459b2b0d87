package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// tmpfsValues are options with a value that tmpfs knows (tmpfs(5)).
var tmpfsValues = []string{"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge", "mpol"}

// tmpfsWords are options without one.
var tmpfsWords = []string{
	"nosuid", "suid", "nodev", "dev", "noexec", "exec", "noatime", "relatime", "strictatime", "nodiratime", "diratime", "noswap",
}

// tmpfsNothing are words that docker and mount(8) know, and that ask for what is so
// anyway.
var tmpfsNothing = []string{
	"defaults", "async", "sync", "dirsync", "nomand", "atime", "norelatime", "nostrictatime",
}

// ParseTmpfs reads what --tmpfs says: TARGET[:OPTIONS]. It begins as a copy of
// what it hides unless notmpcopyup is among the options.
func ParseTmpfs(word string) (Mount, error) {
	if err := checkText(word); err != nil {
		return Mount{}, err
	}
	target, options, given := strings.Cut(word, ":")
	m := Mount{Type: TmpfsMount, Target: target, CopyUp: true}
	if given && options == "" {
		return m, errors.New("no options stand behind the colon")
	}
	if given {
		for option := range strings.SplitSeq(options, ",") {
			if err := m.addTmpfsOption(option); err != nil {
				return m, err
			}
		}
	}
	return m, m.check()
}

func (m *Mount) addTmpfsOption(option string) error {
	key, value, valued := strings.Cut(option, "=")
	switch {
	case option == "tmpcopyup" || option == "notmpcopyup":
		m.CopyUp = option == "tmpcopyup"
	case option == "ro" || option == "rw":
		m.ReadOnly = option == "ro"
	case slices.Contains(propagations, option):
		m.Propagation = option
	case slices.Contains(tmpfsNothing, option):
	case !valued && slices.Contains(tmpfsWords, option), value != "" && slices.Contains(tmpfsValues, key):
		m.Attributes = append(m.Attributes, option)
	case slices.Contains(tmpfsValues, key):
		return fmt.Errorf("the option %q: a value is expected, as in %s=VALUE", option, key)
	default:
		return fmt.Errorf("the option %q isn't known", option)
	}
	return nil
}
