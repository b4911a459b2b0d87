package main

import (
	"slices"
	"strings"
	"time"

	"unionfs/layerstore"
)

// pruneFilter says which of those that may go are to go: docker's filters of prune.
type pruneFilter struct {
	until           time.Time // zero: whenever it was made
	labels, without []string  // KEY or KEY=VALUE
}

func pruneFilterOf(words []string) (p pruneFilter, err error) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if value == "" {
			return p, usagef("--filter=%s: KEY=VALUE is expected", word)
		}
		switch key {
		case "until":
			if p.until, err = parseTime("--filter=until", value); err != nil {
				return p, err
			}
		case "label":
			p.labels = append(p.labels, value)
		case "label!":
			p.without = append(p.without, value)
		default:
			return p, usagef("--filter=%s: there are until, label and label!", word)
		}
	}
	return p, nil
}

// chooses tells whether what was made then and has those labels is to go.
func (p pruneFilter) chooses(made time.Time, labels map[string]string) bool {
	has := func(want string) bool { return hasLabel(labels, want) }
	lacks := func(want string) bool { return !has(want) }
	return (p.until.IsZero() || made.Before(p.until)) &&
		!slices.ContainsFunc(p.labels, lacks) && !slices.ContainsFunc(p.without, has)
}

// image is chooses for images. Who asks for some doesn't mean one that nobody can read.
func (p pruneFilter) image(s *shop) func(layerstore.Image) bool {
	return func(img layerstore.Image) bool {
		cfg, err := s.Config(img.ID)
		if err != nil {
			return p.until.IsZero() && p.labels == nil && p.without == nil
		}
		return p.chooses(cfg.Created.Time, cfg.Config.Labels)
	}
}

// hasLabel tells whether labels have KEY or KEY=VALUE.
func hasLabel(labels map[string]string, want string) bool {
	key, value, given := strings.Cut(want, "=")
	have, ok := labels[key]
	return ok && (!given || have == value)
}
