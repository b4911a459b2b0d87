package fstest

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bigChecks: much of everything.
var bigChecks = []check{
	{name: "big/5000-entries", layers: manyEntries(5000), run: func(e *env) {
		f := e.open("d", os.O_RDONLY)
		entries, err := ReadDirents(int(f.Fd()), 32<<10, -1)
		e.must(err)
		e.close(f)
		if len(entries) != 5002 {
			e.Errorf("%d entries, want 5002", len(entries))
		}
		for i := 0; i < 5000; i += 500 {
			e.must(unix.Unlink(e.p(fmt.Sprintf("d/f%d", i))))
			e.absent(fmt.Sprintf("d/f%d", i))
		}
	}},
	{name: "big/copyup-delays-nobody", layers: Layers{Lower: []string{"random big 268435456 1\nfile other \"o\"\nfile third \"t\""}}, run: copyUpDelaysNobody},
	{name: "big/deep-tree", layers: Layers{Lower: []string{"file " + strings.Repeat("d/", 200) + "f \"deep\"", "dir d"}}, run: func(e *env) {
		e.must(unix.Chmod(e.p(strings.Repeat("d/", 200)+"f"), 0o600))
		e.must(unix.Rename(e.p("d/d"), e.p("e")))
		e.content("e/"+strings.Repeat("d/", 198)+"f", "deep")
		e.must(os.RemoveAll(e.p("e")))
		e.names(".", "d d")
	}},
}

func manyEntries(n int) Layers {
	var parts [2]strings.Builder
	for i := range n {
		fmt.Fprintf(&parts[i%2], "file d/f%d\n", i)
	}
	return Layers{Lower: []string{parts[0].String(), parts[1].String()}}
}

// copyUpDelaysNobody copies a large file up and looks other names up
// meanwhile. The bound is generous: a stall takes as long as the copy.
func copyUpDelaysNobody(e *env) {
	done := make(chan time.Duration)
	go func() {
		start := time.Now()
		fd, err := unix.Open(e.p("big"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = closeAfter(fd, pwriteAll(fd, "x", 5))
		}
		if err != nil {
			e.Error(err)
		}
		done <- time.Since(start)
	}()
	var worst time.Duration
	for i := 0; ; i++ {
		select {
		case took := <-done:
			if worst > 200*time.Millisecond && worst > took/2 {
				e.Errorf("another name took %v while the copy-up took %v", worst, took)
			}
			e.Logf("copy-up %v, slowest other operation %v of %d", took, worst, i)
			return
		default:
		}
		start := time.Now()
		_ = unix.Lstat(e.p(fmt.Sprintf("absent%d", i)), &unix.Stat_t{}) // only its time matters
		e.must(unix.Chmod(e.p("other"), 0o600+uint32(i%8)))
		worst = max(worst, time.Since(start))
	}
}
