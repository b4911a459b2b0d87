package driver

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"unionfs/layerstore"
)

// spot is where a mount is; the zero value is nowhere.
type spot struct {
	target string
	// pid is a process in whose mount namespace it is; "self" is this one.
	pid string
}

func (s spot) there() bool { return s.target != "" }

// path leads there from this process's mount namespace (proc_pid_root(5)).
func (s spot) path() string {
	if s.pid == "self" {
		return s.target
	}
	return "/proc/" + s.pid + "/root" + s.target
}

func (s spot) String() string {
	if s.pid == "self" {
		return s.target
	}
	return fmt.Sprintf("%s in the mount namespace of process %s", s.target, s.pid)
}

// mountedAt looks for a mount of the snapshot that nobody serves: its id, which
// nothing else has, stands in the mount's options or its root. What the union
// driver mounts is served, by who holds the snapshot's lock.
func mountedAt(n *layerstore.Snapshot) spot {
	if n.Driver == "union" {
		return mountedIn("self", n.ID)
	}
	return mountedWith(n.ID)
}

// mountedWith answers where a mount is, in any mount namespace with a process
// that this one may look at, whose line in mountinfo has the word. A place that
// ends with the word is where the driver itself keeps a tree.
func mountedWith(word string) spot {
	if s := mountedIn("self", word); s.there() {
		return s
	}
	own, _ := os.Readlink("/proc/self/ns/mnt")
	seen := map[string]bool{own: true, "": true}
	links, _ := filepath.Glob("/proc/[0-9]*/ns/mnt")
	for _, link := range links {
		ns, _ := os.Readlink(link) // "" when it is gone, or somebody else's
		if seen[ns] {
			continue
		}
		seen[ns] = true
		if s := mountedIn(strings.Split(link, "/")[2], word); s.there() {
			return s
		}
	}
	return spot{}
}

func mountedIn(pid, word string) spot {
	f, err := os.Open("/proc/" + pid + "/mountinfo")
	if err != nil {
		return spot{}
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.Contains(lines.Text(), word) && !strings.HasSuffix(fields[4], "/"+word) {
			return spot{fields[4], pid}
		}
	}
	return spot{}
}
