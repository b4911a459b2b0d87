package main

import (
	"slices"
	"testing"
	"time"

	"unionfs/layerstore"
	"unionfs/runner"
)

// A container's name counts more than the beginning of another's id.
func TestFilterByNameThatIsAnID(t *testing.T) {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	list := []runner.Container{ // the newest first, as ps has them
		{Snapshot: layerstore.Snapshot{Name: "f", ID: "e0", Created: made.Add(time.Second)}},
		{Snapshot: layerstore.Snapshot{Name: "e", ID: "f0", Created: made}},
	}
	for filter, want := range map[string]string{"since=e": "f", "before=f": "e", "since=f0": "f", "before=e0": "e"} {
		got, err := filterContainers(slices.Clone(list), []string{filter})
		if err != nil || len(got) != 1 || got[0].Name != want {
			t.Errorf("%s: %v, %v; want %s", filter, got, err, want)
		}
	}
	if got, err := filterContainers(list, []string{"since=x"}); err == nil {
		t.Errorf("since what isn't there: %v", got)
	}
}
