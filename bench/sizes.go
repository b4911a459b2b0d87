package bench

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// Sizes says how much of everything: by the names of SizeList.
type Sizes map[string]int

// Size is one knob of the workloads.
type Size struct {
	Name    string `json:"name"`
	Default int    `json:"default"`
	Unit    string `json:"unit"`
	What    string `json:"what"`
}

// SizeList are all knobs.
func SizeList() []Size {
	return []Size{
		{"big", 512, "MiB", "the big lower file"},
		{"write", 1024, "MiB", "a file written in big blocks"},
		{"write-4k", 128, "MiB", "a file written in blocks of 4 KiB"},
		{"random", 50000, "operations", "reads and writes of 4 KiB at random places"},
		{"untar", 11000, "files", "entries of the archive"},
		{"append", 1500, "files", "small lower files that are appended to"},
		{"parallel", 2000, "files", "small files of each process"},
		{"processes", 4, "processes", "that make small files at the same time"},
		{"repository", 3000, "files", "in the git repository"},
		{"npm", 300, "packages", "of the module tree"},
		{"sqlite", 300, "transactions", "each synced"},
		{"hot", 100000, "times", "open, fstat, read, close of one file"},
		{"absent", 30000, "names", "that don't exist"},
		{"perl", 50, "times", "perl is started"},
		{"dbench", 8, "seconds", "that dbench runs"},
		{"go-build", 2, "packages", "of the Go library that are built with what they import (1 to 6)"},
		{"layers", 64, "layers", "of the stacks for find and absent names"},
		{"many", 128, "layers", "of the stack that is mounted to its first answer"},
		{"latency", 400, "files", "copied up one by one while the big one copies"},
		{"inodes", 100000, "files", "that the kernel keeps while memory is measured"},
		{"containers", 5, "containers", "started one after the other"},
		{"tree", 9000, "files", "of a generated lower tree"},
	}
}

// DefaultSizes are the sizes when nobody says otherwise.
func DefaultSizes() Sizes {
	s := Sizes{}
	for _, size := range SizeList() {
		s[size.Name] = size.Default
	}
	return s
}

// fixed are sizes that a factor doesn't change: they say what is measured, not
// how long.
var fixed = map[string]bool{"processes": true, "layers": true, "many": true, "go-build": true, "tree": true}

// Set reads "FACTOR", which scales everything that can be scaled, or "NAME=N".
func (s Sizes) Set(word string) error {
	name, number, named := strings.Cut(word, "=")
	if !named {
		return s.scale(word)
	}
	if _, known := DefaultSizes()[name]; !known {
		return fmt.Errorf("size %q: no size is called %q; --list shows them", word, name)
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return fmt.Errorf("size %q: %q is no number from 1 up", word, number)
	}
	s[name] = n
	return nil
}

func (s Sizes) scale(word string) error {
	factor, err := strconv.ParseFloat(word, 64)
	if err != nil || factor <= 0 || factor > 1000 {
		return fmt.Errorf("size %q is neither NAME=N nor a factor above 0, such as 0.25", word)
	}
	for name, n := range s {
		if !fixed[name] {
			s[name] = max(1, int(float64(n)*factor))
		}
	}
	return nil
}

// Clone is a copy that can be changed.
func (s Sizes) Clone() Sizes { return maps.Clone(s) }
