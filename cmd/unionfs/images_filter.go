package main

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"unionfs/layerstore"
)

// filterImages keeps the rows that docker's filters ask for. Those of one key are
// alternatives for references; all others must hold at once.
func filterImages(s *shop, rows []imageRow, filters []string) ([]imageRow, error) {
	var references []string
	for _, filter := range filters {
		key, value, _ := strings.Cut(filter, "=")
		if key == "reference" {
			if _, err := path.Match(value, ""); err != nil {
				return nil, usagef("--filter=%s: %v", filter, err)
			}
			references = append(references, value)
			continue
		}
		drop, err := imagesToDrop(s, key, value)
		if err != nil {
			return nil, err
		}
		rows = slices.DeleteFunc(rows, drop)
	}
	if references == nil {
		return rows, nil
	}
	return slices.DeleteFunc(rows, func(r imageRow) bool {
		return !slices.ContainsFunc(references, r.matches)
	}), nil
}

// matches is docker's reference.FamiliarMatch.
func (r imageRow) matches(pattern string) bool {
	for _, name := range []string{r.Repository, r.Repository + ":" + r.Tag} {
		if ok, _ := path.Match(pattern, name); ok && r.Repository != "<none>" {
			return true
		}
	}
	return false
}

func imagesToDrop(s *shop, key, value string) (func(imageRow) bool, error) {
	switch key {
	case "dangling":
		want, err := strconv.ParseBool(value)
		if err != nil {
			return nil, usagef("--filter=%s=%s: true or false is expected", key, value)
		}
		return func(r imageRow) bool { return (r.Repository == "<none>") != want }, nil
	case "label":
		return func(r imageRow) bool {
			cfg, err := s.Config(layerstore.ImageID(r.ID))
			return err != nil || !hasLabel(cfg.Config.Labels, value)
		}, nil
	case "before", "since":
		at, err := madeAt(s, value)
		if err != nil {
			return nil, err
		}
		return func(r imageRow) bool {
			return key == "before" && !r.Created.Before(at) || key == "since" && !r.Created.After(at)
		}, nil
	}
	return nil, usagef("--filter=%s=%s: there are dangling, reference, label, before and since", key, value)
}

func madeAt(s *shop, image string) (time.Time, error) {
	img, err := s.Find(image)
	if err != nil {
		return time.Time{}, err
	}
	cfg, err := s.Config(img.ID)
	if err != nil {
		return time.Time{}, err
	}
	return cfg.Created.Time, nil
}
