package volumes

import (
	"context"
	"errors"
	"testing"
)

// asleep is a plugin that makes volumes, and is away for everything else.
type asleep struct{ Driver }

var errAsleep = errors.New("asked while it sleeps")

func (asleep) Name() string                                            { return "asleep" }
func (asleep) Create(context.Context, string, map[string]string) error { return nil }
func (asleep) Scope(context.Context) (string, error)                   { return "local", nil }
func (asleep) Get(_ context.Context, name string) (Info, error)        { return Info{Name: name}, nil }

// TestDriverHasOursOnly: a plugin's volume isn't there for clients of our driver,
// and to find that out the plugin isn't asked.
func TestDriverHasOursOnly(t *testing.T) {
	sleeps := false
	s := newStore(t, Options{Plugin: func(context.Context, string) (Driver, error) {
		if sleeps {
			return nil, errAsleep
		}
		return asleep{}, nil
	}})
	mustCreate(t, s, Request{Name: "ours"})
	mustCreate(t, s, Request{Name: "theirs", Driver: "asleep"})
	sleeps = true
	d, ctx := s.AsDriver("unionfs", nil), t.Context()
	all, err := d.List(ctx)
	if err != nil || len(all) != 1 || all[0].Name != "ours" {
		t.Errorf("the driver lists %+v, %v", all, err)
	}
	if _, err := d.Get(ctx, "theirs"); !IsNotFound(err) {
		t.Errorf("Get: %v", err)
	}
	if _, err := d.Mount(ctx, "theirs", "1"); err == nil || errors.Is(err, errAsleep) {
		t.Errorf("Mount: %v", err)
	}
	if err := d.Unmount(ctx, "theirs", "1"); err != nil {
		t.Errorf("Unmount: %v", err)
	}
	if err := d.Remove(ctx, "theirs"); !IsNotFound(err) {
		t.Errorf("Remove: %v", err)
	}
	var taken *ConflictError
	if err := d.Create(ctx, "theirs", nil); err == nil || errors.As(err, &taken) && taken.Driver != "asleep" {
		t.Errorf("Create: %v", err)
	}
	if _, err := s.readMeta("theirs"); err != nil {
		t.Errorf("the plugin's volume: %v", err)
	}
}
