package runner

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"unionfs/runner/sandbox"
)

// userMode is what --userns asks for. All modes but host and map give the
// container a user namespace of its own, inside the one that this process is in;
// its files are shown there under the container's numbers, and are kept under
// those that the image has.
type userMode struct {
	kind string // "" or map, host, keep-id, auto
	// uid and gid are who the caller is inside, of keep-id; -1 is the own id.
	uid, gid int
	size     int            // of auto; 0 is what the image needs
	maps     sandbox.IDMaps // of map, when they were said
}

const userModes = "host, map, map:uids=INSIDE-HOST-COUNT;gids=INSIDE-HOST-COUNT, keep-id[:uid=N,gid=N] or auto[:size=N]"

// maxIDs is how many ids a container of its own range may have: those of 16
// bits, which all that is older than 32-bit ids knows.
const maxIDs = 1 << 16

func parseUserMode(word string) (u userMode, err error) {
	u = userMode{uid: -1, gid: -1}
	options := ""
	u.kind, options, _ = strings.Cut(word, ":")
	switch u.kind {
	case "", "host", "map", "keep-id", "auto":
	default:
		return u, fmt.Errorf("--userns=%s: %s is expected", word, userModes)
	}
	if options == "" {
		return u, nil
	}
	switch u.kind {
	case "map":
		u.maps, err = ParseIDMap(options)
		if err == nil && options == idMapOfContainer {
			err = errors.New("uids= and gids= are expected")
		}
	case "keep-id":
		err = readNumbers(options, map[string]*int{"uid": &u.uid, "gid": &u.gid})
	case "auto":
		err = readNumbers(options, map[string]*int{"size": &u.size})
		if err == nil && (u.size < 1 || u.size > maxIDs) {
			err = fmt.Errorf("a size from 1 to %d is expected", maxIDs)
		}
	default:
		err = fmt.Errorf("%s has no options", u.kind)
	}
	if err != nil {
		return u, fmt.Errorf("--userns=%s: %w", word, err)
	}
	return u, nil
}

func readNumbers(options string, into map[string]*int) error {
	for option := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		n, err := strconv.ParseUint(value, 10, 31)
		if into[key] == nil || err != nil {
			return fmt.Errorf("%q isn't known: one of %s and a number are expected", option, strings.Join(keysOf(into), "=, ")+"=")
		}
		*into[key] = int(n)
	}
	return nil
}

func keysOf(m map[string]*int) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// ownIDs are the maps of the container's own user namespace, as this process's
// namespace has the ids; the zero value when it has none of its own.
func (s *Spec) ownIDs(f Facts) (sandbox.IDMaps, error) {
	u, err := parseUserMode(s.UserMode)
	if err != nil {
		return sandbox.IDMaps{}, err
	}
	own := u.kind == "auto" || u.kind == "keep-id" && !u.trivial(f) || len(u.maps.UIDs) > 0
	switch {
	case !own:
		return sandbox.IDMaps{}, nil
	case f.SingleID || f.NewUserNS:
		return sandbox.IDMaps{}, fmt.Errorf("--userns=%s: there is one id alone, and in the container it is root's, who owns all that you own (a range in /etc/subuid and /etc/subgid, and newuidmap, would give more)", s.UserMode)
	}
	switch u.kind {
	case "keep-id":
		return u.keptIDs(f)
	case "auto":
		if s.IDs == nil {
			return sandbox.IDMaps{}, fmt.Errorf("--userns=auto: the container has no range of ids")
		}
		return *s.IDs, nil
	}
	if err := available(u.maps, f); err != nil {
		return sandbox.IDMaps{}, fmt.Errorf("--userns=%s: %w", s.UserMode, err)
	}
	return u.maps, nil
}

// trivial says that the caller has the same id inside without anybody's doing:
// the machine's root.
func (u *userMode) trivial(f Facts) bool {
	return f.InitialUserNS && u.uid <= 0 && u.gid <= 0
}

// keptIDs are maps in which the caller, who is 0 in this namespace, has another
// number, and those before it move up by one.
func (u *userMode) keptIDs(f Facts) (sandbox.IDMaps, error) {
	if f.InitialUserNS {
		return sandbox.IDMaps{}, errors.New("--userns=keep-id: you are root, and whoever is root in the container would be another: --userns=map:… says who is who")
	}
	uid, gid := f.CallerUID, f.CallerGID
	if u.uid >= 0 {
		uid = u.uid
	}
	if u.gid >= 0 {
		gid = u.gid
	}
	return sandbox.IDMaps{UIDs: moved(uid, countIDs(f.IDs.UIDs)), GIDs: moved(gid, countIDs(f.IDs.GIDs))}, nil
}

// moved gives id 0 of count ones the number own.
func moved(own, count int) []sandbox.IDRange {
	if own == 0 {
		return []sandbox.IDRange{{Inside: 0, Host: 0, Count: count}}
	}
	below := min(own, count-1)
	out := []sandbox.IDRange{{Inside: 0, Host: 1, Count: below}, {Inside: own, Host: 0, Count: 1}}
	if above := count - 1 - below; above > 0 {
		out = append(out, sandbox.IDRange{Inside: own + 1, Host: below + 1, Count: above})
	}
	return out
}

// keptUser is who a container's program is with keep-id, unless somebody says
// otherwise: the caller.
func (s *Spec) keptUser(f Facts) (string, bool) {
	u, err := parseUserMode(s.UserMode)
	if err != nil || u.kind != "keep-id" || f.InitialUserNS {
		return "", false
	}
	maps, err := u.keptIDs(f)
	if err != nil {
		return "", false
	}
	uid, _ := insideID(maps.UIDs, 0)
	gid, _ := insideID(maps.GIDs, 0)
	return fmt.Sprintf("%d:%d", uid, gid), true
}

// countIDs is how many ids there are from 0 on.
func countIDs(ranges []sandbox.IDRange) int {
	end := 0
	for _, r := range ranges {
		if r.Inside <= end {
			end = max(end, r.Inside+r.Count)
		}
	}
	return end
}

// available refuses ids that this process's namespace hasn't got, and a map
// without a root: it is root who furnishes the container.
func available(maps sandbox.IDMaps, f Facts) error {
	for _, kind := range []struct {
		name   string
		wanted []sandbox.IDRange
		there  []sandbox.IDRange
	}{{"uids", maps.UIDs, f.IDs.UIDs}, {"gids", maps.GIDs, f.IDs.GIDs}} {
		if _, ok := outsideID(kind.wanted, 0); !ok {
			return fmt.Errorf("%s say nothing of 0 inside, which the container's root needs", kind.name)
		}
		for _, r := range kind.wanted {
			if !f.InitialUserNS && r.Host+r.Count > countIDs(kind.there) {
				return fmt.Errorf("%s go up to %d, and there are ids up to %d here", kind.name, r.Host+r.Count-1, countIDs(kind.there)-1)
			}
		}
	}
	return nil
}

// onDisk is an owner as the container's files are kept. Who is in none of its
// ranges stays who it is.
func onDisk(ranges []sandbox.IDRange, id uint32) uint32 {
	if own, ok := insideID(ranges, id); ok {
		return own
	}
	return id
}

// insideID is an id of this process's namespace as the container has it.
func insideID(ranges []sandbox.IDRange, id uint32) (uint32, bool) {
	if len(ranges) == 0 {
		return id, true
	}
	for _, r := range ranges {
		if n := int(id) - r.Host; n >= 0 && n < r.Count {
			return uint32(r.Inside + n), true
		}
	}
	return 0, false
}
