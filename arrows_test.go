// Package arrows_test guards the map of the house: which package may import
// which.
package arrows_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// anything stands for all packages of ours.
const anything = "*"

// arrows is the whole truth: a package that has no row here fails the test,
// and so does an import that has no place in its row.
var arrows = map[string][]string{
	"cmd/unionfs": {anything},

	"fs":           {"fs/union", "fs/transport", "fs/hostfs"},
	"fs/union":     {"fs/index", "whiteout", "fs/hostfs"},
	"fs/index":     {"whiteout", "fs/hostfs"},
	"fs/transport": {},
	"fs/hostfs":    {},
	"fs/fstest":    {"fs/hostfs", "whiteout"},
	"whiteout":     {"fs/hostfs"},

	"layerstore":             {"whiteout", "fs/index", "fs/hostfs", "layerstore/layertar"},
	"layerstore/layertar":    {"whiteout", "fs/hostfs"},
	"layerstore/driver":      {"layerstore", "layerstore/layertar", "fs", "fs/union", "fs/hostfs", "whiteout"},
	"layerstore/registry":    {"layerstore"},
	"layerstore/snapshotter": {"layerstore"},

	"volumes":        {"fs/hostfs", "layerstore/layertar", "whiteout"},
	"volumes/plugin": {"volumes"},

	"runner":         {"layerstore", "layerstore/driver", "layerstore/layertar", "volumes", "runner/sandbox"},
	"runner/sandbox": {},
	"runner/build":   {"runner", "layerstore"},

	"bench": {},
}

// testHelpers are imported by tests alone, by those of any package.
var testHelpers = []string{"fs/fstest"}

// outsiders are libraries with only one place in the house; a folder stands
// for what is below it too. Packages that must not see them although they are
// below are named in blind.
var (
	outsiders = map[string]string{
		"github.com/hanwen/go-fuse": "fs",
		"github.com/spf13":          "cmd",
	}
	blind = map[string][]string{
		"github.com/hanwen/go-fuse": {"fs/union", "fs/hostfs"},
	}
)

// file is one source file and what it imports.
type file struct {
	path, dir string
	isTest    bool
	imports   []string
}

func TestArrows(t *testing.T) {
	files := parseAll(t)
	if len(files) == 0 {
		t.Fatal("no source files found")
	}
	for _, f := range files {
		for _, imported := range f.imports {
			if why := objection(f, imported); why != "" {
				t.Errorf("%s: %s", f.path, why)
			}
		}
		if _, known := arrows[f.dir]; !known && f.dir != "." {
			t.Errorf("%s: the package %s has no row in the table of arrows", f.path, f.dir)
		}
	}
}

// objection says what is wrong with an import, "" when nothing is.
func objection(f file, imported string) string {
	ours, isOurs := strings.CutPrefix(imported, "unionfs/")
	if !isOurs {
		return outsiderObjection(f, imported)
	}
	allowed := arrows[f.dir]
	switch {
	case ours == f.dir && f.isTest:
		return ""
	case slices.Contains(testHelpers, ours):
		if f.isTest {
			return ""
		}
		return ours + " is for tests, and this is no test"
	case slices.Contains(allowed, anything), slices.Contains(allowed, ours):
		return ""
	}
	return f.dir + " must not import " + ours
}

func outsiderObjection(f file, imported string) string {
	for library, home := range outsiders {
		if !within(imported, library) {
			continue
		}
		if !within(f.dir, home) {
			return imported + " is imported only below " + home
		}
		if slices.ContainsFunc(blind[library], func(dir string) bool { return within(f.dir, dir) }) {
			return f.dir + " must not know of " + library
		}
	}
	return ""
}

func within(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir+"/")
}

// parseAll reads the imports of every Go file, whatever its build tags say.
func parseAll(t *testing.T) (files []file) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && skipped(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		files = append(files, parse(t, filepath.ToSlash(name)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// skipped are the directories in which the Go tool doesn't look either.
func skipped(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func parse(t *testing.T, name string) file {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	f := file{path: name, dir: path.Dir(name), isTest: strings.HasSuffix(name, "_test.go")}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		f.imports = append(f.imports, imported)
	}
	return f
}

// TestObjections proves that the guard sees what it must.
func TestObjections(t *testing.T) {
	for _, c := range []struct {
		dir, imported string
		isTest, bad   bool
	}{
		{dir: "fs", imported: "unionfs/fs/union"},
		{dir: "fs/union", imported: "unionfs/fs", bad: true},
		{dir: "fs/union", imported: "unionfs/fs/transport", bad: true},
		{dir: "fs/union", imported: "github.com/hanwen/go-fuse/v2/fuse", bad: true},
		{dir: "fs/transport", imported: "github.com/hanwen/go-fuse/v2/fuse"},
		{dir: "whiteout", imported: "github.com/hanwen/go-fuse/v2/fuse", bad: true},
		{dir: "cmd/unionfs", imported: "github.com/hanwen/go-fuse/v2/fuse", bad: true},
		{dir: "cmd/unionfs", imported: "unionfs/layerstore"},
		{dir: "fs/union", imported: "unionfs/fs/fstest", isTest: true},
		{dir: "fs/union", imported: "unionfs/fs/fstest", bad: true},
		{dir: "fs/fstest", imported: "unionfs/fs/union", isTest: true, bad: true},
		{dir: "fs/hostfs", imported: "unionfs/fs/hostfs", isTest: true},
		{dir: "layerstore", imported: "unionfs/fs", bad: true},
		{dir: "somewhere", imported: "unionfs/fs", bad: true},
		{dir: "runner/sandbox", imported: "unionfs/layerstore", bad: true},
		{dir: "fs/union", imported: "strings"},
	} {
		if why := objection(file{dir: c.dir, isTest: c.isTest}, c.imported); (why != "") != c.bad {
			t.Errorf("%s imports %s (test: %v): objection %q", c.dir, c.imported, c.isTest, why)
		}
	}
}
