package plugin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Allowed are the creation options that may come over a socket, each with a
// check of its value. All others are refused: an option like "device" would let
// everybody who may write to the socket read the whole machine.
type Allowed map[string]func(value string) error

// anything accepts each value: the driver judges it.
func anything(string) error { return nil }

// NoPaths allows what can't name a path of this machine.
func NoPaths() Allowed {
	return Allowed{"size": noPath, "from": noPath}
}

// WithBinds adds the options by which mount(8) is told what to mount.
func (a Allowed) WithBinds() Allowed {
	more := maps.Clone(a)
	for _, name := range []string{"type", "device", "o"} {
		more[name] = anything
	}
	return more
}

// noPath refuses what a driver could take for a path. Names of images have
// slashes, but don't begin with one or with a dot.
func noPath(value string) error {
	if strings.HasPrefix(value, "/") || strings.HasPrefix(value, ".") || strings.HasPrefix(value, "~") ||
		slices.Contains(strings.Split(value, "/"), "..") {
		return fmt.Errorf("%q is a path: over a socket only names are accepted", shorten(value))
	}
	return nil
}

func (a Allowed) check(options map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		check, allowed := a[name]
		if !allowed {
			return fmt.Errorf("the option %q is not accepted here: there are %s", shorten(name), strings.Join(slices.Sorted(maps.Keys(a)), ", "))
		}
		if err := check(options[name]); err != nil {
			return fmt.Errorf("the option %q: %w", name, err)
		}
	}
	return nil
}
