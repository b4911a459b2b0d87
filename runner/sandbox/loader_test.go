package sandbox

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// linkLoader gives a root what this test program needs to run in it. With the
// race detector it is linked dynamically; else it needs nothing.
func linkLoader(t testing.TB, root string) {
	t.Helper()
	self, err := elf.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	interpreter := self.Section(".interp")
	if interpreter == nil {
		return
	}
	name, err := io.ReadAll(interpreter.Open())
	if err != nil {
		t.Fatal(err)
	}
	loader := strings.TrimRight(string(name), "\x00")
	copyInto(t, root, loader, loader)
	libraries, err := self.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, lib := range libraries {
		found, err := filepath.Glob("/lib/*-linux-gnu/" + lib)
		if err != nil || len(found) == 0 {
			t.Fatalf("library %s: %v", lib, err)
		}
		copyInto(t, root, found[0], found[0])
	}
}

func copyInto(t testing.TB, root, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(root, to)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, target, string(text), 0o755)
}
