package runner

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// A container with --userns=auto has a range of ids that no other container of
// the store has. Root takes them from what /etc/subuid and /etc/subgid grant to
// the user "containers", which is podman's word for it; an ordinary user from
// its own ranges.

// poolUser is to whom root's ranges are granted.
const poolUser = "containers"

// minAutoIDs is podman's: a smaller range saves nothing.
const minAutoIDs = 1024

// idsLock is held from the look for a free range until the container that has it
// is in the store.
const idsLock = "ids.lock"

// takeIDs gives a container with --userns=auto its range. What it answers is to
// be called when the container is in the store, or has come to nothing.
func (r *Runner) takeIDs(s *Spec, lowers []string) (done func(), err error) {
	u, err := parseUserMode(s.UserMode)
	if err != nil || u.kind != "auto" {
		return func() {}, err
	}
	f := Look()
	if f.SingleID || f.NewUserNS {
		return func() {}, nil // ownIDs says why not
	}
	pool, err := idPool(f)
	if err != nil {
		return nil, fmt.Errorf("--userns=%s: %w", s.UserMode, err)
	}
	size := u.size
	if size == 0 {
		size = neededIDs(lowers)
	}
	lock, err := os.OpenFile(filepath.Join(r.Store.Root(), idsLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	done = func() { lock.Close() } // and with it the lock
	if err := lockWhole(lock); err != nil {
		done()
		return nil, err
	}
	taken, err := r.takenIDs()
	if err == nil {
		s.IDs, err = freeIDs(pool, taken, size)
	}
	if err != nil {
		done()
		return nil, fmt.Errorf("--userns=%s: %w", s.UserMode, err)
	}
	return done, nil
}

func lockWhole(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return err
		}
	}
}

// idPool is what ranges are taken from. Host is an id of this namespace.
func idPool(f Facts) (sandbox.IDMaps, error) {
	if !f.InitialUserNS {
		pool := sandbox.IDMaps{}
		// All but 0, which is the caller.
		pool.UIDs = []sandbox.IDRange{{Host: 1, Count: countIDs(f.IDs.UIDs) - 1}}
		pool.GIDs = []sandbox.IDRange{{Host: 1, Count: countIDs(f.IDs.GIDs) - 1}}
		return pool, nil
	}
	uids, err := grantedTo(poolUser, "/etc/subuid")
	if err != nil {
		return sandbox.IDMaps{}, err
	}
	gids, err := grantedTo(poolUser, "/etc/subgid")
	return sandbox.IDMaps{UIDs: uids, GIDs: gids}, err
}

func grantedTo(name, file string) (out []sandbox.IDRange, err error) {
	rows, err := user.ParseSubIDFileFilter(file, func(row user.SubID) bool { return row.Name == name })
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("%s grants no ids to %q, of which containers get theirs: add a line like %s:2147483647:2147483648 there", file, name, name)
	}
	for _, row := range rows {
		out = append(out, sandbox.IDRange{Host: int(row.SubID), Count: int(row.Count)})
	}
	return out, nil
}

// takenIDs are the ranges of all containers.
func (r *Runner) takenIDs() (sandbox.IDMaps, error) {
	var taken sandbox.IDMaps
	list, err := r.listAll()
	for i := range list {
		if ids := list[i].Spec.IDs; ids != nil {
			taken.UIDs = append(taken.UIDs, ids.UIDs...)
			taken.GIDs = append(taken.GIDs, ids.GIDs...)
		}
	}
	return taken, err
}

func freeIDs(pool, taken sandbox.IDMaps, size int) (*sandbox.IDMaps, error) {
	uid, ok := freeRange(pool.UIDs, taken.UIDs, size)
	gid, gok := freeRange(pool.GIDs, taken.GIDs, size)
	if !ok || !gok {
		return nil, fmt.Errorf("no range of %d ids is free: remove containers that have one, ask for a smaller one (auto:size=N), or grant more in /etc/subuid and /etc/subgid", size)
	}
	return &sandbox.IDMaps{UIDs: []sandbox.IDRange{uid}, GIDs: []sandbox.IDRange{gid}}, nil
}

// freeRange finds the lowest range that overlaps none that is taken.
func freeRange(pool, taken []sandbox.IDRange, size int) (sandbox.IDRange, bool) {
	taken = slices.Clone(taken)
	slices.SortFunc(taken, func(a, b sandbox.IDRange) int { return a.Host - b.Host })
	for _, p := range pool {
		at := p.Host
		for _, t := range taken {
			if t.Host < at+size && at < t.Host+t.Count {
				at = t.Host + t.Count
			}
		}
		if at+size <= p.Host+p.Count {
			return sandbox.IDRange{Inside: 0, Host: at, Count: size}, true
		}
	}
	return sandbox.IDRange{}, false
}

// neededIDs is how many ids an image's accounts need. Nobody, whose number is
// far above the others, is who has no number in any case.
func neededIDs(lowers []string) int {
	needed := minAutoIDs
	for _, file := range []string{"etc/passwd", "etc/group"} {
		for _, dir := range lowers {
			text := readBelow(dir, file)
			if text == "" {
				continue
			}
			needed = max(needed, highestID(text)+1)
			break
		}
	}
	return min(needed, maxIDs)
}

func readBelow(dir, file string) string {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	return readIn(fd, file)
}

// highestID reads the third field of passwd(5) and group(5).
func highestID(text string) (highest int) {
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 3 {
			continue
		}
		if id, err := strconv.Atoi(fields[2]); err == nil && id < nobodyID {
			highest = max(highest, id)
		}
	}
	return highest
}

// nobodyID is the kernel's overflow id.
const nobodyID = 65534
