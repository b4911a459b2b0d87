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
	// more are the further lowers (indices into dir.lowers) that hold a
	// directory of the name.
	more  []uint16
	top   int16
	dtype uint8 // DT_*
	// hasLower says that the name would show a lower object if upper had
	// nothing of that name: removing it takes a whiteout.
	hasLower bool
	// whiteout says that upper holds a whiteout of the name.
	whiteout bool

	// While building: no lower directory merges any more; no lower name
	// counts any more.
	mergeEnd, lowerEnd bool
}

func (e *entry) visible() bool { return e.top != topHidden }

// table holds the names of a directory. It is guarded by dir.mu.
type table struct {
	names map[string]*entry
	order []listed
	holes int
	next  uint64
	// subdirs counts visible directories, for st_nlink.
	subdirs int
}

// listed is a place in the listing; a removed entry leaves a hole, so that
// cookies already handed out keep their order.
type listed struct {
	cookie uint64
	e      *entry
}

// firstCookie is the cookie of the first entry; "." and ".." come before it.
const firstCookie = 3

func newTable() *table {
	return &table{names: map[string]*entry{}, next: firstCookie}
}

// visible counts the names that show.
func (t *table) visible() int { return len(t.order) - t.holes }

func (t *table) get(name string) *entry {
	if e := t.names[name]; e != nil && e.visible() {
		return e
	}
	return nil
}

// show gives the entry a place at the listing's end.
func (t *table) show(e *entry) {
	e.cookie = t.next
	t.next++
	t.order = append(t.order, listed{e.cookie, e})
	if e.dtype == dtDir {
		t.subdirs++
	}
}

// hide takes the entry out of the listing, and out of the table unless a
// whiteout has to be remembered.
func (t *table) hide(e *entry, whiteout bool) {
	if e.cookie != 0 {
		t.order[t.at(e.cookie)].e = nil
		t.holes++
		t.compact()
		if e.dtype == dtDir {
			t.subdirs--
		}
	}
	if !whiteout {
		delete(t.names, e.name)
		return
	}
	t.names[e.name] = &entry{name: e.name, top: topHidden, whiteout: true, hasLower: e.hasLower, more: e.more}
}

// at is the index of the first place whose cookie is at least c.
func (t *table) at(c uint64) int {
	return sort.Search(len(t.order), func(i int) bool { return t.order[i].cookie >= c })
}

// compact drops the holes when they outnumber the entries; cookies stay.
func (t *table) compact() {
	if t.holes < 64 || t.holes*2 < len(t.order) {
		return
	}
	kept := t.order[:0]
	for _, l := range t.order {
		if l.e != nil {
			kept = append(kept, l)
		}
	}
	clear(t.order[len(kept):])
	t.order, t.holes = kept, 0
}
