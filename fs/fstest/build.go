package fstest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// builder makes one tree from its description; see Build in doc.go.
type builder struct {
	root   string
	format string           // of whiteouts: overlay, xattr or aufs
	times  map[string]Stamp // set last: making a child changes its parent
}

// Build makes the tree that text describes below root, which must exist. The
// language is in doc.go. Each object gets a modification time of its own,
// derived from its path, unless the text says another: a copy that forgets to
// carry the time along can't go unnoticed.
func Build(root, text string) error {
	b := &builder{root: root, format: "overlay", times: map[string]Stamp{}}
	b.touch(".")
	for i, line := range strings.Split(text, "\n") {
		words, err := splitLine(line)
		if err == nil && len(words) > 0 {
			err = b.statement(words)
		}
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", i+1, strings.TrimSpace(line), err)
		}
	}
	return b.setTimes()
}

func (b *builder) path(p string) string { return filepath.Join(b.root, p) }

func (b *builder) touch(p string) {
	if _, known := b.times[p]; !known {
		b.times[p] = stampOf(p)
	}
}

// stampOf is a time in 2001..2004 with odd nanoseconds.
func stampOf(p string) Stamp {
	h := fnv.New64a()
	h.Write([]byte(p)) // hash writes don't fail
	v := h.Sum64()
	return Stamp{Sec: 1_000_000_000 + int64(v%100_000_000), Nsec: int64(v>>32) % 1_000_000_000}
}

// statement runs one line: the word for the kind, the path, its arguments.
func (b *builder) statement(words []string) error {
	verb := words[0]
	if verb == "format" && len(words) == 2 {
		b.format = words[1]
		return nil
	}
	make, ok := verbs[verb]
	if !ok || len(words) < 2 {
		return errors.New("not a statement")
	}
	p, err := Unescape(words[1])
	if err != nil {
		return err
	}
	args, attrs := splitAttrs(words[2:])
	if err := b.parents(p); err != nil {
		return err
	}
	if err := make(b, p, args); err != nil {
		return err
	}
	return b.attributes(p, attrs)
}

// parents makes the missing directories above p.
func (b *builder) parents(p string) error {
	dir := filepath.Dir(p)
	b.touch(dir)
	if dir == "." {
		return nil
	}
	if err := b.parents(dir); err != nil {
		return err
	}
	err := os.Mkdir(b.path(dir), 0o755)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// attributes are the key=value words at the end of any line, in their order.
func (b *builder) attributes(p string, attrs []string) error {
	for _, attr := range attrs {
		key, value, _ := strings.Cut(attr, "=")
		var err error
		switch key {
		case "owner":
			err = b.owner(p, value)
		case "mtime":
			err = b.mtime(p, value)
		case "mode":
			err = b.mode(p, value)
		default:
			err = b.xattr(p, []string{attr})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setTimes goes from the deepest path up, since nothing below may change after
// a directory got its time.
func (b *builder) setTimes() error {
	var paths []string
	for p := range b.times {
		paths = append(paths, p)
	}
	sort.Sort(sort.Reverse(sort.StringSlice(paths)))
	for _, p := range paths {
		err := setMtime(b.path(p), b.times[p])
		if err != nil && !errors.Is(err, unix.ENOENT) { // a whiteout in aufs form has another name
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

func setMtime(path string, at Stamp) error {
	ts := unix.Timespec{Sec: at.Sec, Nsec: at.Nsec}
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}
