package volumes

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Info is what a driver says of one of its volumes.
type Info struct {
	Name string
	// Mountpoint is where its files are in this process's mount namespace; ""
	// while nobody has it mounted, for drivers that mount on demand.
	Mountpoint string
	CreatedAt  time.Time      // zero when the driver doesn't say
	Status     map[string]any // the driver's own words
}

// Driver keeps volumes. Methods may be called from any number of goroutines and
// processes at once.
type Driver interface {
	// Name is what --driver calls it: "local" is ours.
	Name() string
	// Scope is "local" (each machine has its own volumes) or "global".
	Scope(ctx context.Context) (string, error)
	// Create makes a volume; one that is there already with the same name is
	// fine. Options are the driver's own.
	Create(ctx context.Context, name string, options map[string]string) error
	// Get and Path answer NotFoundError when there is no such volume.
	Get(ctx context.Context, name string) (Info, error)
	List(ctx context.Context) ([]Info, error)
	// Mount makes the volume's files appear somewhere and answers where. id is
	// of this use alone: the driver counts ids, and the same one twice is one.
	Mount(ctx context.Context, name, id string) (mountpoint string, err error)
	// Unmount ends a use. One that never was is fine.
	Unmount(ctx context.Context, name, id string) error
	// Remove deletes the volume and its data; one in use is refused with
	// InUseError where the driver knows.
	Remove(ctx context.Context, name string) error
}

// ErrNoVolumes says that a plugin is for other things.
var ErrNoVolumes = errors.New("keeps no volumes")

// NotFoundError says that there is no such volume.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no volume %q: unionfs volume ls lists them", e.Name)
}

// InUseError says who uses a volume that is to be removed.
type InUseError struct {
	Name string
	By   []string // containers by name, or ids of uses
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("volume %q is in use by %v: remove them first", e.Name, e.By)
}

// IsNotFound tells whether err says that a volume isn't there.
func IsNotFound(err error) bool {
	var nf *NotFoundError
	return errors.As(err, &nf)
}
