package union

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"unsafe"
)

// TestNameset: it is what a map would be, whatever comes and goes.
func TestNameset(t *testing.T) {
	for _, many := range []int{4, 40, 4000} {
		r := rand.New(rand.NewPCG(1, uint64(many)))
		var s nameset
		m := map[string]*entry{}
		for i := range 20 * many {
			name := "n" + strconv.Itoa(r.IntN(many))
			switch r.IntN(3) {
			case 0:
				s.remove(name)
				delete(m, name)
			default:
				e := &entry{name: name}
				s.put(e)
				m[name] = e
			}
			if s.get(name) != m[name] || s.find([]byte(name)) != m[name] || s.len() != len(m) {
				t.Fatalf("step %d: %q is %p (%p), want %p; %d names, want %d",
					i, name, s.get(name), s.find([]byte(name)), m[name], s.len(), len(m))
			}
			if i%(4*many) == 0 {
				sameNames(t, &s, m)
			}
		}
		s.keep(func(e *entry) bool { return e.name[len(e.name)-1]%2 == 0 })
		for name := range m {
			if name[len(name)-1]%2 != 0 {
				delete(m, name)
			}
		}
		sameNames(t, &s, m)
		for name := range m {
			s.remove(name)
		}
		if s.len() != 0 || len(s.slots) > 2*fewestSlots {
			t.Errorf("%d names in %d slots after all went", s.len(), len(s.slots))
		}
	}
}

func sameNames(t *testing.T, s *nameset, m map[string]*entry) {
	t.Helper()
	seen := 0
	for e := range s.all() {
		seen++
		if m[e.name] != e {
			t.Fatalf("%q is in the set", e.name)
		}
	}
	for name, e := range m {
		if s.get(name) != e {
			t.Fatalf("%q isn't in the set", name)
		}
	}
	if seen != len(m) {
		t.Fatalf("%d names, want %d", seen, len(m))
	}
}

// TestSizes: a million inodes are to fit 500 MiB, garbage included.
func TestSizes(t *testing.T) {
	if n, e := unsafe.Sizeof(Inode{}), unsafe.Sizeof(entry{}); n > 176 || e > 64 {
		t.Errorf("an inode has %d bytes, an entry %d: the next size of the allocator costs more", n, e)
	}
}
