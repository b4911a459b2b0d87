package layerstore

import (
	"errors"
	"slices"
	"testing"
)

func TestNormalize(t *testing.T) {
	for typed, want := range map[string]string{
		"debian":                    "docker.io/library/debian:latest",
		"debian:12":                 "docker.io/library/debian:12",
		"me/app":                    "docker.io/me/app:latest",
		"quay.io/me/app:v1":         "quay.io/me/app:v1",
		"localhost:5000/app":        "localhost:5000/app:latest",
		"localhost/app":             "localhost/app:latest",
		"index.docker.io/library/x": "docker.io/library/x:latest",
	} {
		got, err := Normalize(typed)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", typed, got, err, want)
		}
		if again, err := Normalize(Familiar(got)); err != nil || again != got {
			t.Errorf("%s: its familiar form %q means %q (%v)", got, Familiar(got), again, err)
		}
	}
	for _, bad := range []string{"", "Upper", "a b", "../x", "x:", "x@sha256:1"} {
		if got, err := Normalize(bad); err == nil {
			t.Errorf("%q passed as %q", bad, got)
		}
	}
}

func TestFind(t *testing.T) {
	s := newStore(t)
	one := addImage(t, s, "one", tarOf(t, [2]string{"a", "1"}))
	two := addImage(t, s, "two:v2", tarOf(t, [2]string{"a", "2"}))
	for what, want := range map[string]ImageID{
		"one": one.ID, "one:latest": one.ID, "docker.io/library/one": one.ID, "two:v2": two.ID,
		string(one.ID): one.ID, one.ID.Hex(): one.ID, two.ID.Short(): two.ID,
		"one@" + string(one.Manifests[0].Digest): one.ID,
	} {
		if f, err := s.Find(what); err != nil || f.ID != want {
			t.Errorf("%s: got %v, %v", what, f.ID, err)
		}
	}
	for _, what := range []string{"two", "none", "", "sha256:", "one@sha256:00"} {
		var unknown *UnknownImageError
		if f, err := s.Find(what); !errors.As(err, &unknown) {
			t.Errorf("%q: got %v, %v; want nothing", what, f.ID, err)
		}
	}
}

func TestTagMovesNames(t *testing.T) {
	s := newStore(t)
	one := addImage(t, s, "x", tarOf(t, [2]string{"a", "1"}))
	if err := s.Tag("x", "y:1"); err != nil {
		t.Fatal(err)
	}
	two := addImage(t, s, "x", tarOf(t, [2]string{"a", "2"}))
	if f, err := s.Find("x"); err != nil || f.ID != two.ID {
		t.Errorf("x is %v (%v), want the newer image", f.ID, err)
	}
	f, err := s.Find("y:1")
	if err != nil || f.ID != one.ID || !slices.Equal(f.Names, []string{"docker.io/library/y:1"}) {
		t.Errorf("y:1 is %v with the names %v (%v)", f.ID, f.Names, err)
	}
}
