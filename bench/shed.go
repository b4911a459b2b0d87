package bench

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// shed keeps fixtures: each is made once, under a name that tells what it was
// made from, and never written again.
type shed struct {
	dir   string
	sizes Sizes
	opts  *Options
	made  map[string]found
	say   func(format string, args ...any)
}

// found is where a fixture is, or why it isn't there.
type found struct {
	path string
	err  error
}

func newShed(opts *Options, say func(string, ...any)) (*shed, error) {
	s := &shed{dir: filepath.Join(opts.Work, "fixtures"), sizes: opts.Sizes, opts: opts, made: map[string]found{}, say: say}
	return s, os.MkdirAll(s.dir, 0o755)
}

// get makes a fixture unless it was made; a failure isn't tried again.
func (s *shed) get(ctx context.Context, name string) (string, error) {
	if f, known := s.made[name]; known {
		return f.path, f.err
	}
	path, err := s.find(ctx, name)
	if err != nil {
		err = fmt.Errorf("no %s: %w", name, err)
	}
	if ctx.Err() == nil {
		s.made[name] = found{path, err}
	}
	return path, err
}

func (s *shed) find(ctx context.Context, name string) (string, error) {
	f, ok := fixtures[name]
	if !ok {
		return "", fmt.Errorf("no such fixture")
	}
	for _, need := range f.from {
		if _, err := s.get(ctx, need); err != nil {
			return "", err
		}
	}
	if f.where != nil {
		if path := f.where(s); path != "" {
			return filepath.Abs(path)
		}
	}
	return s.keep(name+"-"+s.key(name, f), func(path string) error { return f.make(ctx, s, path) })
}

// key tells fixtures of other sizes and of other origins apart. It is short:
// the names of many layers must fit on the page that mount(2) takes.
func (s *shed) key(name string, f fixture) string {
	words := []string{name}
	if f.size != "" {
		words = append(words, fmt.Sprint(s.sizes[f.size]))
	}
	if f.extra != nil {
		words = append(words, f.extra(s))
	}
	for _, need := range f.from {
		words = append(words, s.made[need].path)
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(words, "\x00"))))[:6]
}

// keep makes a path under another name and renames it: what was interrupted
// is never taken for whole.
func (s *shed) keep(name string, make func(path string) error) (string, error) {
	path := filepath.Join(s.dir, name)
	if _, err := os.Lstat(path); err == nil {
		return path, nil
	}
	s.say("making %s", name)
	part := path + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := make(part); err != nil {
		_ = os.RemoveAll(part) // the reason is the error, and the next try removes it too
		return "", err
	}
	return path, os.Rename(part, path)
}

// layers are the lower trees of fixtures, highest first: some fixtures are a
// stack of them.
func (s *shed) layers(ctx context.Context, names []string) (dirs []string, err error) {
	for _, name := range names {
		path, err := s.get(ctx, name)
		if err != nil {
			return nil, err
		}
		if !fixtures[name].stack {
			dirs = append(dirs, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			dirs = append(dirs, filepath.Join(path, entry.Name()))
		}
	}
	return dirs, nil
}

// merged is one plain directory with what the layers show together, for
// targets that mount nothing. The fixtures hold no whiteouts.
func (s *shed) merged(ctx context.Context, names []string) (string, error) {
	dirs, err := s.layers(ctx, names)
	if err != nil || len(dirs) == 1 {
		return strings.Join(dirs, ""), err
	}
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(dirs, ":"))))[:6]
	return s.keep("merged-"+key, func(path string) error { return copyLayers(ctx, dirs, path) })
}

// copyLayers copies layers over each other, the lowest first.
func copyLayers(ctx context.Context, dirs []string, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := removeOthers(dirs[i], to); err != nil {
			return err
		}
		if err := tool(ctx, "", "cp", "-a", "--reflink=auto", dirs[i]+"/.", to); err != nil {
			return err
		}
	}
	return nil
}

// removeOthers takes away what a layer covers with something of another type:
// cp wouldn't put a directory in a symbolic link's place.
func removeOthers(layer, to string) error {
	entries, err := os.ReadDir(layer)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		below := filepath.Join(to, entry.Name())
		info, err := os.Lstat(below)
		if err == nil && info.Mode().Type() != entry.Type() {
			if err := os.RemoveAll(below); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyFile copies the data of a file.
func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // it was only read
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	return err
}
