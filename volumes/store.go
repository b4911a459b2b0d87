package volumes

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// Local is the name of our own driver.
const Local = "local"

// Options are what a store needs of others.
type Options struct {
	// Plugin finds the driver of that name, which is neither empty nor Local;
	// nil when there are none.
	Plugin func(ctx context.Context, name string) (Driver, error)
	// Plugins answers the names of the plugins that there are; nil knows of none.
	Plugins func() []string
	// Unions mounts trees in layers; nil when nobody can.
	Unions Unions
	// Shared says that what is mounted at a path is seen by all commands that
	// use the store, and stays when this process ends. In a user namespace, which
	// each command has of its own, nothing of that is so.
	Shared bool
	// Patience is how long another command may be at work on a volume before this
	// one gives up; 0 is the default, two minutes.
	Patience time.Duration
	// Warn gets a line for what is odd but no failure; may be nil.
	Warn func(line string)
}

// Store keeps volumes of all drivers in a directory. Any number of processes may
// have it open.
type Store struct {
	dir string
	o   Options
}

// Open opens the store in dir, which is made when missing, and takes away what
// dead processes left.
func Open(dir string, o Options) (*Store, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, o: o}
	return s, s.sweepStages()
}

// Dir is the directory of the store.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

func (s *Store) warn(line string) {
	if s.o.Warn != nil {
		s.o.Warn(line)
	}
}

// driver finds a driver by name; nil is our own.
func (s *Store) driver(ctx context.Context, name string) (Driver, error) {
	if name == "" || name == Local {
		return nil, nil
	}
	if s.o.Plugin == nil {
		return nil, &UnknownDriverError{name}
	}
	return s.o.Plugin(ctx, name)
}
