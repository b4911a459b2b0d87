package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
)

// deaf is a driver that doesn't answer.
type deaf struct{ *noted }

func (deaf) List(ctx context.Context) ([]Info, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// listless is a driver from before there was a List.
type listless struct{ *noted }

func (listless) List(context.Context) ([]Info, error) { return nil, nil }

// TestListAll lists what plugins have, whatever other plugins do.
func TestListAll(t *testing.T) {
	ctx := context.Background()
	d, old := newNoted(t), newNoted(t)
	var warnings []string
	s := newStore(t, Options{
		Plugins: func() []string { return []string{"broken", "deaf", "forbidden", "listless", "network", "noted"} },
		Plugin: func(_ context.Context, name string) (Driver, error) {
			switch name {
			case "noted":
				return d, nil
			case "deaf":
				return deaf{d}, nil
			case "listless":
				return listless{old}, nil
			case "forbidden":
				return nil, fs.ErrPermission
			case "network":
				return nil, fmt.Errorf("it %w", ErrNoVolumes)
			}
			return nil, errors.New("no sense in it")
		},
	})
	s.o.Warn = func(line string) { warnings = append(warnings, line) }
	mustCreate(t, s, Request{Name: "mine"})
	mustCreate(t, s, Request{Name: "known", Driver: "noted"})
	mustCreate(t, s, Request{Name: "old", Driver: "listless"})
	d.have["others"], d.have["others-too"], d.have["mine"] = true, true, true
	began := time.Now()
	all, err := s.ListAll(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*censusPatience {
		t.Errorf("it took %s", took)
	}
	var have []string
	for _, v := range all {
		if v.Status["Missing"] != nil {
			t.Errorf("%s is missing", v.Name)
		}
		have = append(have, v.Driver+" "+v.Name)
	}
	want := []string{"noted known", "local mine", "listless old", "noted others", "noted others-too"}
	if !slices.Equal(have, want) {
		t.Errorf("listed %q, want %q", have, want)
	}
	if len(warnings) != 2 || !strings.Contains(warnings[0], "driver broken: no sense") || !strings.Contains(warnings[1], "driver deaf: it took") {
		t.Errorf("warned of %q", warnings)
	}
	// What only a plugin knows is never pruned.
	pruned, err := s.Prune(ctx, nil, func(*Volume) (bool, error) { return true, nil })
	if err != nil || !slices.Equal(pruned.Names, []string{"known", "mine", "old"}) || !d.have["others"] {
		t.Errorf("pruned %v, %v", pruned, err)
	}
}

// TestAdopt takes a volume that others have made.
func TestAdopt(t *testing.T) {
	ctx := context.Background()
	d := newNoted(t)
	s := pluginStore(t, d)
	s.o.Plugins = func() []string { return []string{"noted"} }
	if _, err := s.Adopt(ctx, "others"); !IsNotFound(err) {
		t.Errorf("what nobody has: %v", err)
	}
	d.have["others"] = true
	if v, err := s.Look(ctx, "others"); err != nil || v.Driver != "noted" || v.Mountpoint != d.dir {
		t.Errorf("looked at %+v, %v", v, err)
	}
	if _, err := s.Get(ctx, "others"); !IsNotFound(err) {
		t.Errorf("looking made it the store's: %v", err)
	}
	if v, err := s.Adopt(ctx, "others"); err != nil || v.Driver != "noted" {
		t.Errorf("adopted %+v, %v", v, err)
	}
	release(t, mustUse(t, s, "others", "one"))
	if err := s.Remove(ctx, "others", false, nil); err != nil || d.have["others"] {
		t.Errorf("removed: %v, %v", d.have, err)
	}
}
