package runner

import (
	"fmt"
	"strconv"
	"strings"

	"unionfs/runner/sandbox"
)

// idMapOfContainer asks for the maps of the container's own user namespace.
const idMapOfContainer = "container"

// setIDMap also takes a yes or a no, which podman has.
func (m *Mount) setIDMap(word string) error {
	switch yes, err := strconv.ParseBool(word); {
	case err != nil:
		m.IDMap = word
	case yes:
		m.IDMap = idMapOfContainer
	}
	return nil
}

// ParseIDMap reads podman's words for the owners that a mount shows:
// uids=DISK-HOST-COUNT[#…];gids=…, where DISK is the number on disk and HOST
// the one that it is shown as, both outside the container. The container's own
// maps are the zero value.
func ParseIDMap(word string) (m sandbox.IDMaps, err error) {
	if word == idMapOfContainer {
		return m, nil
	}
	for part := range strings.SplitSeq(word, ";") {
		kind, ranges, _ := strings.Cut(part, "=")
		switch kind {
		case "uids":
			m.UIDs, err = parseIDRanges(m.UIDs, ranges)
		case "gids":
			m.GIDs, err = parseIDRanges(m.GIDs, ranges)
		default:
			err = fmt.Errorf("%q is neither uids= nor gids=", part)
		}
		if err != nil {
			return m, fmt.Errorf("idmap=%s: %w", word, err)
		}
	}
	if len(m.UIDs) == 0 || len(m.GIDs) == 0 {
		return m, fmt.Errorf("idmap=%s: both are needed, as in uids=0-1000-1;gids=0-1000-1", word)
	}
	return m, nil
}

func parseIDRanges(known []sandbox.IDRange, word string) ([]sandbox.IDRange, error) {
	for one := range strings.SplitSeq(word, "#") {
		var n [3]int
		fields := strings.Split(one, "-")
		for i := range min(len(fields), 3) {
			v, err := strconv.ParseUint(fields[i], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%q is no number of an id", fields[i])
			}
			n[i] = int(v)
		}
		if len(fields) != 3 || n[2] == 0 {
			return nil, fmt.Errorf("%q: DISK-HOST-COUNT is expected, three numbers", one)
		}
		known = append(known, sandbox.IDRange{Inside: n[0], Host: n[1], Count: n[2]})
	}
	return known, nil
}
