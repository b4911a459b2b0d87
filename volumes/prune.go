package volumes

import (
	"context"
	"errors"
)

// Pruned is what Prune has removed.
type Pruned struct {
	Names []string
	Bytes int64 // given back to the file system, as far as known
}

// Prune removes the volumes of which wanted says so and that nobody has. It goes
// on after a failure.
func (s *Store) Prune(ctx context.Context, users Users, wanted func(v *Volume) (bool, error)) (Pruned, error) {
	var out Pruned
	all, err := s.List(ctx)
	if err != nil {
		return out, err
	}
	var errs []error
	for i := range all {
		v := &all[i]
		ok, err := wanted(v)
		if err != nil {
			errs = append(errs, err)
		}
		if !ok || err != nil {
			continue
		}
		// Anew for each: what two shared is given back with the second.
		usage, err := s.Usage(ctx)
		if err != nil {
			return out, errors.Join(append(errs, err)...)
		}
		var used *InUseError
		err = s.Remove(ctx, v.Name, false, users)
		switch {
		case err == nil:
			out.Names, out.Bytes = append(out.Names, v.Name), out.Bytes+usage[v.Name].Own
		case errors.As(err, &used), IsNotFound(err):
		default:
			errs = append(errs, err)
		}
	}
	return out, errors.Join(errs...)
}
