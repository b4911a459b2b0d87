package union

import "sort"

// Where an entry's topmost object is: an index into dir.lowers, or one of these.
const (
	topUpper  int16 = -1
	topHidden int16 = -2 // nothing shows under the name
)

// entry is one name of a directory. Hidden entries stand for names with a
// whiteout in upper, so that creating knows to replace it.
type entry struct {
	name   string
	inode  *Inode // while somebody holds it
	ino    uint64 // 0 when only a look at the object can tell
	cookie uint64 // place in listings; 0 when hidden
	rare   *rareEntry
	top    int16
	dtype  uint8 // DT_*
	// hasLower says that the name would show a lower object if upper had
	// nothing of that name: removing it takes a whiteout.
	hasLower bool
	// whiteout says that upper holds a whiteout of the name where the union
	// puts its own.
	whiteout bool

	// While building: no lower directory merges any more; no lower name
	// counts any more.
	mergeEnd, lowerEnd bool
}

// rareEntry is what few entries have.
type rareEntry struct {
	// more are the further lowers (indices into dir.lowers) that hold a
	// directory of the name.
	more []uint16
	// foreign names a whiteout that stands elsewhere than where the union puts
	// its own (foreign.go).
	foreign string
}

func (e *entry) more() []uint16 {
	if e.rare == nil {
		return nil
	}
	return e.rare.more
}

func (e *entry) foreign() string {
	if e.rare == nil {
		return ""
	}
	return e.rare.foreign
}

func (e *entry) own() *rareEntry {
	if e.rare == nil {
		e.rare = new(rareEntry)
	}
	return e.rare
}

// cover says that another object stands on top of those so far.
func (e *entry) cover() {
	e.own().more = append([]uint16{uint16(e.top)}, e.more()...)
	e.hasLower = true
}

func (e *entry) visible() bool { return e.top != topHidden }

// table holds the names of a directory. It is guarded by dir.mu.
//
// A name's cookie is its place in listings for as long as it has the name.
// Names that come later get smaller cookies, so that they are before wherever
// a listing under way has got to, and a program that renames what it lists
// comes to an end.
type table struct {
	names nameset
	// old are the names found when the table was built, in the order of
	// their cookies; young those that came later, against that order.
	old, young []listed
	holes      int
	// subdirs counts visible directories, for st_nlink.
	subdirs int
}

// listed is a place in the listing; a removed entry leaves a hole.
type listed struct {
	cookie uint64
	e      *entry
}

const (
	// firstCookie is the smallest an entry gets; "." and ".." come before.
	firstCookie = 3
	// middleCookie is where old begins and young ends. All cookies fit 31
	// bits, as 32-bit programs want them.
	middleCookie = 1 << 30
)

func newTable() *table { return new(table) }

// visible counts the names that show.
func (t *table) visible() int { return len(t.old) + len(t.young) - t.holes }

func (t *table) get(name string) *entry {
	if e := t.names.get(name); e != nil && e.visible() {
		return e
	}
	return nil
}

// found gives an entry met while building its place.
func (t *table) found(e *entry) {
	e.cookie = middleCookie + uint64(len(t.old))
	t.old = append(t.old, listed{e.cookie, e})
	t.count(e, 1)
}

// show gives a new entry its place.
func (t *table) show(e *entry) {
	e.cookie = middleCookie - 1
	if k := len(t.young); k > 0 {
		if t.young[k-1].cookie == firstCookie {
			t.renumber()
		}
		e.cookie = t.young[k-1].cookie - 1
	}
	t.young = append(t.young, listed{e.cookie, e})
	t.count(e, 1)
}

func (t *table) count(e *entry, by int) {
	if e.dtype == dtDir {
		t.subdirs += by
	}
}

// renumber makes room after a thousand million creations. A listing under way
// may then show a name twice.
func (t *table) renumber() {
	t.compact(0)
	for i := range t.young {
		t.young[i].cookie = middleCookie - 1 - uint64(i)
		t.young[i].e.cookie = t.young[i].cookie
	}
}

// hide takes the entry out of the listing, and out of the table unless a
// whiteout has to be remembered.
func (t *table) hide(e *entry, whiteout bool) {
	if e.cookie != 0 {
		t.place(e.cookie).e = nil
		t.holes++
		t.compact(64)
		t.count(e, -1)
	}
	if !whiteout {
		t.names.remove(e.name)
		return
	}
	hidden := &entry{name: e.name, top: topHidden, whiteout: true, hasLower: e.hasLower}
	if more := e.more(); more != nil {
		hidden.own().more = more
	}
	t.names.put(hidden)
}

// vacate hides an entry whose place another object has taken: no whiteout
// stands there but the one that stood beside it before.
func (t *table) vacate(e *entry) {
	t.hide(e, true)
	t.names.get(e.name).whiteout = e.whiteout
}

// place finds the place with exactly this cookie.
func (t *table) place(c uint64) *listed {
	if c >= middleCookie {
		return &t.old[t.oldAfter(c-1)]
	}
	return &t.young[t.youngAfter(c-1)]
}

// oldAfter is the index of the first old place behind the cookie.
func (t *table) oldAfter(c uint64) int {
	return sort.Search(len(t.old), func(i int) bool { return t.old[i].cookie > c })
}

// youngAfter is the index of the first young place behind the cookie, in the
// listing's order, which is from the last to the first; -1 when there is none.
func (t *table) youngAfter(c uint64) int {
	return sort.Search(len(t.young), func(i int) bool { return t.young[i].cookie <= c }) - 1
}

// after calls each with the entries behind the cookie until it answers false.
func (t *table) after(c uint64, each func(e *entry) bool) {
	for i := t.youngAfter(c); i >= 0; i-- {
		if e := t.young[i].e; e != nil && !each(e) {
			return
		}
	}
	for _, l := range t.old[t.oldAfter(c):] {
		if l.e != nil && !each(l.e) {
			return
		}
	}
}

// compact drops the holes when there are many, and more than half; cookies stay.
func (t *table) compact(many int) {
	if t.holes < many || t.holes*2 < len(t.old)+len(t.young) {
		return
	}
	t.old, t.young, t.holes = withoutHoles(t.old), withoutHoles(t.young), 0
}

func withoutHoles(places []listed) []listed {
	kept := places[:0]
	for _, l := range places {
		if l.e != nil {
			kept = append(kept, l)
		}
	}
	clear(places[len(kept):])
	return kept
}
