package runner

import (
	"testing"
	"time"

	"unionfs/layerstore"
)

// What was to go with its end is lost when nobody is left to see to that: not while
// somebody may be about to, and not when nobody has promised it.
func TestLost(t *testing.T) {
	now := time.Now()
	old, new := now.Add(-2*time.Minute), now.Add(-time.Second)
	for _, c := range []struct {
		name string
		c    Container
		lost bool
	}{
		{"killed with its monitor", Container{Spec: Spec{Remove: true}, State: State{Status: Exited}}, true},
		{"that stays", Container{State: State{Status: Exited}}, false},
		{"whose removal was cut off", Container{Spec: Spec{Remove: true}, State: State{Status: Exited, FinishedAt: old}}, true},
		{"that is being removed", Container{Spec: Spec{Remove: true}, State: State{Status: Exited, FinishedAt: new}}, false},
		{"never started", Container{Snapshot: layerstore.Snapshot{Created: old}, Spec: Spec{Remove: true, AtOnce: true}, State: State{Status: Created}}, true},
		{"about to be started", Container{Snapshot: layerstore.Snapshot{Created: new}, Spec: Spec{Remove: true, AtOnce: true}, State: State{Status: Created}}, false},
		{"to be started some day", Container{Snapshot: layerstore.Snapshot{Created: old}, Spec: Spec{Remove: true}, State: State{Status: Created}}, false},
		{"that runs", Container{Snapshot: layerstore.Snapshot{Created: old}, Spec: Spec{Remove: true, AtOnce: true}, State: State{Status: Running}}, false},
	} {
		if lost := c.c.isLost(now); lost != c.lost {
			t.Errorf("one %s: %v", c.name, lost)
		}
	}
}
