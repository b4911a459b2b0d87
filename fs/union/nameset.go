package union

import (
	"hash/maphash"
	"iter"
)

// nameset is a set of entries by name: a hash table of pointers, since a map
// would hold each name a second time. The zero value is empty. A removed entry
// leaves no trace.
type nameset struct {
	slots []*entry // a power of two, a quarter or more of them nil
	used  int
}

// nameSeed makes what names collide nobody's choice.
var nameSeed = maphash.MakeSeed()

const fewestSlots = 8

func (s *nameset) len() int { return s.used }

// get answers the entry of a name, or nil.
func (s *nameset) get(name string) *entry {
	if s.used == 0 {
		return nil
	}
	return s.slots[s.place(name)]
}

// find is get for a name in a buffer.
func (s *nameset) find(name []byte) *entry {
	if s.used == 0 {
		return nil
	}
	mask := len(s.slots) - 1
	for i := int(maphash.Bytes(nameSeed, name)) & mask; ; i = (i + 1) & mask {
		if e := s.slots[i]; e == nil || e.name == string(name) {
			return e
		}
	}
}

// place is where the name is, or the free slot where it belongs.
func (s *nameset) place(name string) int {
	mask := len(s.slots) - 1
	for i := s.home(name); ; i = (i + 1) & mask {
		if e := s.slots[i]; e == nil || e.name == name {
			return i
		}
	}
}

func (s *nameset) home(name string) int {
	return int(maphash.String(nameSeed, name)) & (len(s.slots) - 1)
}

// put enters an entry, in the place of one of the same name.
func (s *nameset) put(e *entry) {
	if (s.used+1)*4 > len(s.slots)*3 {
		s.resize(max(fewestSlots, 2*len(s.slots)))
	}
	i := s.place(e.name)
	if s.slots[i] == nil {
		s.used++
	}
	s.slots[i] = e
}

func (s *nameset) resize(size int) {
	old := s.slots
	s.slots = make([]*entry, size)
	for _, e := range old {
		if e != nil {
			s.slots[s.place(e.name)] = e
		}
	}
}

// remove takes a name out. Those behind it move up as far as they may, so that
// no search ends too early.
func (s *nameset) remove(name string) {
	if s.used == 0 {
		return
	}
	mask := len(s.slots) - 1
	hole := s.place(name)
	if s.slots[hole] == nil {
		return
	}
	s.used--
	for i := (hole + 1) & mask; s.slots[i] != nil; i = (i + 1) & mask {
		// Between its home and itself there must be no hole.
		if away := (i - s.home(s.slots[i].name)) & mask; away >= (i-hole)&mask {
			s.slots[hole] = s.slots[i]
			hole = i
		}
	}
	s.slots[hole] = nil
	if small := len(s.slots) / 2; small >= fewestSlots && s.used*8 < len(s.slots) {
		s.resize(small)
	}
}

// keep removes all entries but those that hold.
func (s *nameset) keep(hold func(e *entry) bool) {
	var gone []string
	for e := range s.all() {
		if !hold(e) {
			gone = append(gone, e.name)
		}
	}
	for _, name := range gone {
		s.remove(name)
	}
}

// all yields the entries in no order; the set may not change meanwhile.
func (s *nameset) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, e := range s.slots {
			if e != nil && !yield(e) {
				return
			}
		}
	}
}
