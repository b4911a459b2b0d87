package driver

import (
	"context"
	"errors"
	"fmt"
	"os"

	"unionfs/layerstore"
)

// Collect removes what the drivers keep beside snapshots and that nothing needs
// any more: trees of chains that no snapshot was made on and no image has, and
// what killed commands left where the store's own sweeping doesn't look. What is
// in use just now stays for the next time.
func Collect(ctx context.Context, s *layerstore.Store) error {
	var errs []error
	for _, candidate := range drivers {
		d, ok := candidate.make(s).(interface{ collect(context.Context) error })
		if !ok {
			continue
		}
		if err := d.collect(ctx); err != nil {
			errs = append(errs, fmt.Errorf("storage driver %s: %w", candidate.name, err))
		}
	}
	return errors.Join(errs...)
}

// isDir tells whether a driver has been at work: what isn't there needs no look.
func isDir(path string) bool {
	fi, err := os.Lstat(path)
	return err == nil && fi.IsDir()
}
