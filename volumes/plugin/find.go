package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"unionfs/volumes"
)

// finder is how a plugin is looked for.
type finder struct {
	directories Directories
	patience    time.Duration
	notice      func(error)
	warn        func(string)
}

// Option changes how Find looks and how the driver that it finds behaves.
type Option func(*finder)

// In looks elsewhere.
func In(d Directories) Option { return func(f *finder) { f.directories = d } }

// Patience is how long a plugin that isn't there may take to start, at Find and
// at each call; DefaultPatience when nothing is said, 0 for not at all.
func Patience(limit time.Duration) Option { return func(f *finder) { f.patience = limit } }

// Notice is called when there is something to wait for, with the reason.
func Notice(say func(error)) Option { return func(f *finder) { f.notice = say } }

// Warn is called for what is odd about a plugin but no failure.
func Warn(say func(string)) Option { return func(f *finder) { f.warn = say } }

// Find finds a volume plugin by its name and makes sure that it is one. Neither
// its files nor the program behind them need to be there yet.
func Find(ctx context.Context, name string, options ...Option) (volumes.Driver, error) {
	if err := checkPluginName(name); err != nil {
		return nil, err
	}
	f := &finder{directories: DefaultDirectories(), patience: DefaultPatience, warn: func(string) {}}
	for _, option := range options {
		option(f)
	}
	p := newPatience(f.patience, f.notice)
	for {
		found, err := f.attempt(ctx, name)
		if err == nil {
			return found, nil
		}
		if !worthWaiting(err) || !p.wait(ctx, err) {
			return nil, conclude(ctx, err, p)
		}
	}
}

// attempt looks through all places anew, since better ones may have come.
func (f *finder) attempt(ctx context.Context, name string) (*remote, error) {
	a, err := f.directories.search(name)
	if err != nil {
		return nil, err
	}
	c := newClient(name, a, f)
	answer, err := c.callWith(ctx, activate, request{}, newPatience(0, nil))
	if err != nil {
		return nil, err
	}
	if !slices.Contains(answer.Implements, volumeDriver) {
		return nil, fmt.Errorf("the plugin %s at %s %w, it offers: %s",
			name, a, volumes.ErrNoVolumes, shorten(strings.Join(append(answer.Implements, "nothing else"), ", ")))
	}
	return &remote{client: c, warn: f.warn}, nil
}

func worthWaiting(err error) bool {
	var absent *absentError
	if errors.As(err, &absent) || asLost(err) != nil {
		return true
	}
	var away *UnreachableError
	return errors.As(err, &away) && mayStart(err)
}

// conclude says how long was waited, and whether somebody ended the waiting.
func conclude(ctx context.Context, err error, p *patience) error {
	var away *UnreachableError
	var absent *absentError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", err, context.Cause(ctx))
	case errors.As(err, &away):
		away.Waited = p.waited()
	case errors.As(err, &absent) && p.waited() >= time.Second:
		return fmt.Errorf("%w (waited %s for it)", err, p.waited().Round(time.Second))
	}
	return err
}
