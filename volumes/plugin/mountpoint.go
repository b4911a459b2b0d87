package plugin

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// checkMountpoint makes sure that a mountpoint can be used. It gives up with the
// context: a file system behind a network may not answer.
func checkMountpoint(ctx context.Context, at string) error {
	switch {
	case at == "":
		return fmt.Errorf("it names no mountpoint")
	case !filepath.IsAbs(at):
		return fmt.Errorf("its mountpoint %q is no absolute path", shorten(at))
	}
	looked := make(chan error, 1)
	go func() {
		info, err := os.Stat(at)
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is no directory", at)
		}
		looked <- err
	}()
	select {
	case err := <-looked:
		if err != nil {
			return fmt.Errorf("its mountpoint can't be used: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("its mountpoint %s doesn't answer: %w", at, context.Cause(ctx))
	}
}
