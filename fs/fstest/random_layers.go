package fstest

import (
	"fmt"
	"math/rand"
	"path"
	"strings"
)

// RandomLayers is a stack of one to four lowers and an upper that may hold
// something already: files over directories, directories over files,
// whiteouts and opaque directories at every level of a small name space.
func RandomLayers(rng *rand.Rand, ns NameSpace) Layers {
	var l Layers
	view := map[string]bool{}
	for i := range 1 + rng.Intn(4) {
		text := randomLayer(rng, ns, view, fmt.Sprintf("layer %d ", i))
		l.Lower = append([]string{text}, l.Lower...) // written lowest first, listed highest first
	}
	if rng.Intn(2) == 0 {
		l.Upper = randomLayer(rng, ns, view, "upper ")
	}
	return l
}

func randomLayer(rng *rand.Rand, ns NameSpace, view map[string]bool, tag string) string {
	r := &layerWriter{Rand: rng, ns: ns, tag: tag, view: view}
	r.dir("", 0)
	return r.text.String()
}

// layerWriter writes one layer's description.
type layerWriter struct {
	*rand.Rand
	ns    NameSpace
	tag   string
	files []string
	view  map[string]bool // what shows of the layers up to here: path → is a directory
	text  strings.Builder
}

func (r *layerWriter) dir(at string, depth int) {
	for _, name := range r.ns.Names {
		if r.Intn(10) < 7 {
			r.entry(path.Join(at, name), depth)
		}
	}
}

func (r *layerWriter) entry(p string, depth int) {
	switch kind := r.Intn(12); {
	case kind < 5 && depth+1 < r.ns.Depth:
		r.subdir(p, depth)
	case kind < 8:
		r.file(p)
	case kind == 8:
		r.whiteout(p)
	case kind == 9:
		r.hide(p, false)
		r.line("symlink %s -> %s", p, r.ns.Names[r.Intn(len(r.ns.Names))])
	case kind == 10 && len(r.files) > 0 && !r.ns.Single:
		r.hide(p, false)
		r.line("hardlink %s = %s", p, r.files[r.Intn(len(r.files))])
	default:
		r.hide(p, false)
		r.line("fifo %s", p)
	}
}

// hide notes that p stands in this layer and covers what was below it.
func (r *layerWriter) hide(p string, dir bool) {
	for q := range r.view {
		if strings.HasPrefix(q, p+"/") {
			delete(r.view, q)
		}
	}
	r.view[p] = dir
}

func (r *layerWriter) subdir(p string, depth int) {
	verb := "dir"
	if r.Intn(4) == 0 {
		verb = "opaque"
	}
	if verb == "opaque" || !r.view[p] {
		r.hide(p, true)
	}
	r.line("%s %s", verb, p)
	r.attributes(p)
	r.dir(p, depth+1)
}

func (r *layerWriter) file(p string) {
	r.hide(p, false)
	if r.Intn(6) == 0 {
		r.line("random %s %d %d", p, 4000+r.Intn(9000), r.Intn(1000)) // more than a page
	} else {
		r.line("file %s %04o %q", p, []int{0o644, 0o600, 0o755}[r.Intn(3)], r.tag+p)
	}
	r.files = append(r.files, p)
	r.attributes(p)
}

// whiteout of what isn't there is legal; see NameSpace.Tidy.
func (r *layerWriter) whiteout(p string) {
	if _, shows := r.view[p]; r.ns.Tidy && !shows {
		return
	}
	r.hide(p, false)
	delete(r.view, p)
	r.line("whiteout %s", p)
}

func (r *layerWriter) line(format string, args ...any) {
	fmt.Fprintf(&r.text, format+"\n", args...)
}

func (r *layerWriter) attributes(p string) {
	if r.Intn(4) == 0 {
		r.line("xattr %s user.x=%q", p, r.tag)
	}
	if r.Intn(4) == 0 && !r.ns.User {
		r.line("owner %s %d:%d", p, r.Intn(3)*500, r.Intn(3)*500)
	}
}
