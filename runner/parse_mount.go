package runner

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
)

// ParseMount reads what --mount says: fields KEY=VALUE with commas between, in
// the form of RFC 4180, so that a field in double quotes may hold a comma. Keys
// are the same in capitals.
func ParseMount(text string) (Mount, error) {
	if err := checkText(text); err != nil {
		return Mount{}, err
	}
	fields, err := mountFields(text)
	if err != nil {
		return Mount{}, err
	}
	m := Mount{Type: VolumeMount}
	if hasKey(fields, "bind-recursive") && hasKey(fields, "bind-nonrecursive") {
		return Mount{}, errors.New("the keys \"bind-recursive\" and \"bind-nonrecursive\" exclude each other")
	}
	for _, f := range fields {
		if f.key == "type" {
			m.Type = MountType(strings.ToLower(f.value))
		}
	}
	if !slices.Contains(mountTypes, m.Type) {
		return Mount{}, fmt.Errorf("the key \"type\": %q isn't one of %s", m.Type, joinTypes(mountTypes))
	}
	for _, f := range fields {
		key := mountKeys[f.key]
		if key.only != nil && !slices.Contains(key.only, m.Type) {
			return Mount{}, fmt.Errorf("the key %q is for a %s, and this is a %s", f.word, joinTypes(key.only), m.Type)
		}
		if err := key.set(&m, f.value); err != nil {
			return Mount{}, fmt.Errorf("the key %q: %w", f.word, err)
		}
	}
	if m.Target == "" {
		return Mount{}, errors.New("the target is missing: add target=PATH")
	}
	return m, m.check()
}

// mountField is one field: its key as it is in the table, and as it was
// written.
type mountField struct{ key, word, value string }

func mountFields(text string) ([]mountField, error) {
	r := csv.NewReader(strings.NewReader(text))
	words, err := r.Read()
	if err == io.EOF {
		return nil, errors.New("it is empty: type=TYPE,source=SOURCE,target=PATH is expected")
	}
	if err != nil {
		return nil, fmt.Errorf("fields with commas between are expected: %w", err)
	}
	if _, err := r.Read(); err != io.EOF {
		return nil, errors.New("one line is expected")
	}
	var out []mountField
	for _, word := range words {
		f, err := parseMountField(word)
		if err != nil {
			return nil, err
		}
		if !mountKeys[f.key].many && hasKey(out, f.key) {
			return nil, fmt.Errorf("the key %q is given twice", f.word)
		}
		out = append(out, f)
	}
	return out, nil
}

func hasKey(fields []mountField, key string) bool {
	return slices.ContainsFunc(fields, func(f mountField) bool { return f.key == key })
}

func parseMountField(word string) (mountField, error) {
	key, value, valued := strings.Cut(word, "=")
	if strings.TrimSpace(key) != key || strings.TrimSpace(value) != value {
		return mountField{}, fmt.Errorf("the field %q: white space stands around its key or value", word)
	}
	f := mountField{strings.ToLower(key), key, value}
	if alias, ok := mountAliases[f.key]; ok {
		f.key = alias
	}
	known, ok := mountKeys[f.key]
	switch {
	case !ok:
		return f, fmt.Errorf("the key %q isn't known", key)
	case valued && value == "":
		return f, fmt.Errorf("the key %q: its value is empty", key)
	case !valued && known.alone == "":
		return f, fmt.Errorf("the key %q: a value is expected, as in %s=VALUE", key, key)
	case !valued:
		f.value = known.alone
	}
	return f, nil
}

// mountKey is what one key of --mount means.
type mountKey struct {
	only  []MountType // nil for all
	many  bool        // it may be repeated
	alone string      // its value when it has none
	set   func(m *Mount, value string) error
}

var (
	forBinds   = []MountType{BindMount}
	forVolumes = []MountType{VolumeMount}
	forTmpfs   = []MountType{TmpfsMount}
	forImages  = []MountType{ImageMount}
	forFiles   = []MountType{BindMount, VolumeMount}
)

var mountAliases = map[string]string{
	"src": "source", "dst": "target", "destination": "target", "ro": "readonly",
	"subpath": "volume-subpath", "chown": "u", "readwrite": "rw",
}

var mountKeys = map[string]mountKey{
	"type":     {set: func(*Mount, string) error { return nil }},
	"source":   {set: func(m *Mount, v string) error { m.Source = v; return nil }},
	"target":   {set: func(m *Mount, v string) error { m.Target = v; return nil }},
	"readonly": flagKey(nil, func(m *Mount, yes bool) { m.ReadOnly = yes }),
	"rw": flagKey(nil, func(m *Mount, yes bool) {
		if m.Type == ImageMount {
			m.Writable = yes
		} else {
			m.ReadOnly = !yes
		}
	}),
	"consistency": wordKey(nil, func(*Mount, string) {}, "consistent", "cached", "delegated", "default"),
	"idmap":       {only: forFiles, alone: idMapOfContainer, set: (*Mount).setIDMap},
	"u":           flagKey(forFiles, func(m *Mount, yes bool) { m.Chown = yes }),
	"relabel":     wordKey(forFiles, func(*Mount, string) {}, "shared", "private"),
	"nosuid":      flagKey(nil, attribute("nosuid", "suid")),
	"nodev":       flagKey(nil, attribute("nodev", "dev")),
	"noexec":      flagKey(nil, attribute("noexec", "exec")),
	"suid":        flagKey(nil, attribute("suid", "nosuid")),
	"dev":         flagKey(nil, attribute("dev", "nodev")),
	"exec":        flagKey(nil, attribute("exec", "noexec")),

	"bind-propagation": wordKey(forBinds, func(m *Mount, v string) { m.Propagation = v }, propagations...),
	"bind-recursive": wordKey(forBinds, func(m *Mount, v string) {
		if m.Recursion = Recursion(v); v == "enabled" {
			m.Recursion = RecursionDefault
		}
	}, "enabled", "disabled", "writable", "readonly"),
	"bind-nonrecursive": flagKey(forBinds, func(m *Mount, yes bool) {
		if yes {
			m.Recursion = RecursionDisabled
		}
	}),
	"bind-create-src": flagKey(forBinds, func(m *Mount, yes bool) { m.CreateSource = yes }),

	"volume-subpath": {only: []MountType{VolumeMount, ImageMount}, set: func(m *Mount, v string) error { m.Subpath = v; return nil }},
	"volume-nocopy":  flagKey(forVolumes, func(m *Mount, yes bool) { m.NoCopy = yes }),
	"nocreate":       flagKey(forVolumes, func(m *Mount, yes bool) { m.NoCreate = yes }),
	"volume-driver":  {only: forVolumes, set: func(m *Mount, v string) error { m.Driver = v; return nil }},
	"volume-label": {only: forVolumes, many: true, set: func(m *Mount, v string) error {
		key, value, _ := strings.Cut(v, "=")
		return put(&m.Labels, key, value)
	}},
	"volume-opt": {only: forVolumes, many: true, set: func(m *Mount, v string) error {
		key, value, ok := strings.Cut(v, "=")
		if !ok {
			return fmt.Errorf("%q: KEY=VALUE is expected", v)
		}
		return put(&m.Options, key, value)
	}},

	"tmpfs-size": {only: forTmpfs, set: func(m *Mount, v string) error {
		n, err := units.RAMInBytes(v)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is no size: a number with a suffix is expected, as in 64m", v)
		}
		// None is no limit, as docker has it and tmpfs(5) says.
		m.Attributes = append(m.Attributes, fmt.Sprintf("size=%d", n))
		return nil
	}},
	"tmpfs-mode": {only: forTmpfs, set: func(m *Mount, v string) error {
		n, err := strconv.ParseUint(v, 8, 32)
		if err != nil || n > 0o7777 {
			return fmt.Errorf("%q is no mode: an octal number is expected, as in 1777", v)
		}
		m.Attributes = append(m.Attributes, fmt.Sprintf("mode=%o", n))
		return nil
	}},
	"tmpcopyup":   flagKey(forTmpfs, func(m *Mount, yes bool) { m.CopyUp = yes }),
	"notmpcopyup": flagKey(forTmpfs, func(m *Mount, yes bool) { m.CopyUp = !yes }),

	"image-subpath": {only: forImages, set: func(m *Mount, v string) error { m.Subpath = v; return nil }},
}

// flagKey is a key that is a yes alone, or a yes or a no with a value.
func flagKey(only []MountType, set func(m *Mount, yes bool)) mountKey {
	return mountKey{only: only, alone: "true", set: func(m *Mount, value string) error {
		yes, err := strconv.ParseBool(strings.ToLower(value))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		set(m, yes)
		return nil
	}}
}

// wordKey is a key whose value is one of some words.
func wordKey(only []MountType, set func(m *Mount, value string), words ...string) mountKey {
	return mountKey{only: only, set: func(m *Mount, value string) error {
		if !slices.Contains(words, value) {
			return fmt.Errorf("%q isn't one of %s", value, strings.Join(words, ", "))
		}
		set(m, value)
		return nil
	}}
}

func attribute(yes, no string) func(m *Mount, set bool) {
	return func(m *Mount, set bool) {
		if set {
			m.Attributes = append(m.Attributes, yes)
		} else {
			m.Attributes = append(m.Attributes, no)
		}
	}
}

func put(into *map[string]string, key, value string) error {
	if key == "" {
		return errors.New("a name is expected before the =")
	}
	if *into == nil {
		*into = map[string]string{}
	}
	(*into)[key] = value
	return nil
}

func joinTypes(types []MountType) string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = string(t)
	}
	return strings.Join(words, " or ")
}
