package sandbox

import (
	"bufio"
	"bytes"
	"os"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

// GiveMemoryBack gives the machine what a process at rest doesn't need: garbage,
// and the pages of the program itself that it has touched. Those are the page
// cache's, and come back from there when they are needed.
func GiveMemoryBack() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return // it is only for others' sake
	}
	for _, m := range programMaps(maps) {
		_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

type addresses struct{ from, to uintptr }

// programMaps finds the mappings of this program in proc_pid_maps(5) that nobody
// writes to: those of a file, which the first line is of.
func programMaps(maps []byte) (found []addresses) {
	var program string
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		f := bytes.Fields(lines.Bytes())
		if len(f) < 6 || len(f[1]) != 4 {
			continue
		}
		file := string(f[3]) + " " + string(f[4]) // device and inode
		if program == "" {
			program = file
		}
		from, to, ok := bytes.Cut(f[0], []byte("-"))
		a, err1 := strconv.ParseUint(string(from), 16, 64)
		b, err2 := strconv.ParseUint(string(to), 16, 64)
		if !ok || err1 != nil || err2 != nil || file != program || f[1][1] == 'w' || string(f[4]) == "0" {
			continue
		}
		found = append(found, addresses{uintptr(a), uintptr(b)})
	}
	return found
}
