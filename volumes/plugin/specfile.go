package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// WriteSpec writes a .spec file that leads clients to a socket, for sockets that
// aren't where clients look. It answers how to remove it again. A file that leads
// elsewhere stays, and is an error.
func WriteSpec(file, socket string) (remove func() error, err error) {
	if filepath.Ext(file) != ".spec" {
		return nil, fmt.Errorf("%s: clients look for files named NAME.spec", file)
	}
	line := "unix://" + socket + "\n"
	switch leads, err := readSpec(file); {
	case err == nil && string(leads) != line:
		return nil, fmt.Errorf("%s leads to %q already: remove it, or choose another name", file, shorten(strings.TrimSpace(string(leads))))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	if err := publish(file, line); err != nil {
		return nil, err
	}
	return func() error {
		if leads, err := readSpec(file); err != nil || string(leads) != line {
			return nil // somebody else's by now
		}
		return os.Remove(file)
	}, nil
}

// publish lets nobody read half a line.
func publish(file, line string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(line)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
