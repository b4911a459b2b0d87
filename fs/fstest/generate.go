package fstest

import (
	"math/rand"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// NameSpace is what a generator may use. Names are few, so that operations
// meet at the same objects again and again.
type NameSpace struct {
	Names  []string // of one component
	Depth  int      // components of a path, at most
	Known  []string // paths of the initial tree, tried more often than others
	Exists []string // set by Generate: paths that operations made
	User   bool     // no operation that an ordinary user may not do
	Mounts bool     // sequences hold Remount
	Tidy   bool     // layers hold no whiteout that hides nothing
	Single bool     // layers hold no hard links
}

// Names are four names, three levels deep.
func Names() NameSpace {
	return NameSpace{Names: []string{"a", "b", "c", "d"}, Depth: 3}
}

const slots = 4

// generator steers towards paths that were named before.
type generator struct {
	*rand.Rand
	ns NameSpace
}

// Generate makes n operations. The same rng state gives the same sequence.
func Generate(rng *rand.Rand, n int, ns NameSpace) []Op {
	g := &generator{Rand: rng, ns: ns}
	g.ns.Exists = append([]string(nil), ns.Known...)
	total := 0
	for _, w := range weights {
		total += w.weight
	}
	ops := make([]Op, n)
	for i := range ops {
		ops[i] = g.op(total)
	}
	return ops
}

func (g *generator) op(total int) Op {
	pick := g.Intn(total)
	for _, w := range weights {
		if pick -= w.weight; pick < 0 {
			return w.make(g, w.kind)
		}
	}
	panic("weights don't add up")
}

// path is one that is likely to exist, else any. What the layers hold comes
// often: its first change is where a union has most to do.
func (g *generator) path() string {
	if len(g.ns.Known) > 0 && g.Intn(10) < 4 {
		return g.ns.Known[g.Intn(len(g.ns.Known))]
	}
	if len(g.ns.Exists) > 0 && g.Intn(10) < 7 {
		return g.ns.Exists[g.Intn(len(g.ns.Exists))]
	}
	return g.anyPath()
}

func (g *generator) anyPath() string {
	n := 1 + g.Intn(g.ns.Depth)
	parts := make([]string, n)
	for i := range parts {
		parts[i] = g.name()
	}
	return strings.Join(parts, "/")
}

func (g *generator) name() string { return g.ns.Names[g.Intn(len(g.ns.Names))] }

// fresh is a path to make something at: mostly beside or inside what exists.
func (g *generator) fresh() string {
	p := g.path()
	switch g.Intn(3) {
	case 0:
		p = path.Join(p, g.name())
	case 1:
		p = path.Join(path.Dir(p), g.name())
	}
	if strings.Count(p, "/") >= g.ns.Depth+2 { // renames of directories deepen paths
		p = g.anyPath()
	}
	g.ns.Exists = append(g.ns.Exists, p)
	return p
}

func (g *generator) data() string {
	n := 1 + g.Intn(12)
	if g.Intn(8) == 0 {
		n = 1 + g.Intn(9000) // more than a page
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + (i+n)%26)
	}
	return string(b)
}

func (g *generator) offset() int64 {
	return int64([]int{0, 0, 1, 5, 100, 4095, 4096, 10000}[g.Intn(8)])
}

// mode leaves suid out for users: writes of an ordinary user clear it. The
// sticky bit is left out because fs.protected_regular makes it the host's
// business whether root may open there.
func (g *generator) mode(dir bool) uint32 {
	modes := []uint32{0o644, 0o600, 0o755, 0o666, 0o777}
	if dir {
		modes = []uint32{0o755, 0o700, 0o777}
	}
	if !g.ns.User {
		modes = append(modes, 0, 0o400, 0o2755, 0o111)
		if !dir {
			modes = append(modes, 0o4755, 0o6711, 0o2644)
		}
	}
	return modes[g.Intn(len(modes))]
}

func (g *generator) slot() int { return g.Intn(slots) }

func (g *generator) xattr() string {
	names := []string{"user.x", "user.y"}
	if !g.ns.User {
		names = append(names, "trusted.x")
	}
	return names[g.Intn(len(names))]
}

func (g *generator) renameFlags() int {
	return []int{0, 0, 0, 0, unix.RENAME_NOREPLACE, unix.RENAME_EXCHANGE}[g.Intn(6)]
}
