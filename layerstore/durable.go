package layerstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Files and directories of the store are its owner's alone: layers hold setuid
// programs and other people's secrets.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// writeFile replaces path by data, so that a crash leaves the old or the new.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync() // the rename must not reach the disk before the bytes
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	return err
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}

var errDamaged = errors.New("is damaged")

// mendable says what to do about a description that a check can do without.
func mendable(err error) error {
	if errors.Is(err, errDamaged) {
		return fmt.Errorf("%w: unionfs system check --repair goes on without it", err)
	}
	return err
}

// readJSON reads what writeJSON wrote; what it didn't is errDamaged.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s %w: %w", path, errDamaged, err)
	}
	return nil
}

// syncDir makes the names in a directory last.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// syncTree makes all that was written to path's file system last: one call for
// a tree of many thousand files.
func syncTree(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
