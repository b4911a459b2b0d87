package transport

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// client stats a name below a directory, or an open file when there is no
// name, so often as each line it reads says. It answers the nanoseconds.
func client(what string) {
	dir, base, _ := strings.Cut(what, "\x1f")
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	name, err := unix.BytePtrFromString(base)
	if err != nil {
		panic(err)
	}
	var st unix.Stat_t
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var n int
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
			panic(err)
		}
		begin := time.Now()
		for range n {
			statAt(fd, name, &st)
		}
		fmt.Println(time.Since(begin).Nanoseconds())
	}
}

// benchClient measures stat of a path by another process.
func benchStat(b *testing.B, what string, clients int) {
	type peer struct {
		in  io.Writer
		out *bufio.Scanner
	}
	var peers []peer
	for range clients {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asClient+"="+what)
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = in.Close(); _ = cmd.Wait() }()
		peers = append(peers, peer{in, bufio.NewScanner(out)})
	}
	ask := func(n int) {
		for _, p := range peers {
			fmt.Fprintln(p.in, n)
		}
		for _, p := range peers {
			p.out.Scan()
			_ = strings.TrimSpace(p.out.Text())
		}
	}
	ask(100)
	b.ResetTimer()
	ask(b.N/clients + 1)
	b.StopTimer()
}

func BenchmarkGetattr(b *testing.B) { benchStat(b, mountFlat(b, newFlat()).path+"/plain\x1f", 1) }

func BenchmarkGetattr4(b *testing.B) { benchStat(b, mountFlat(b, newFlat()).path+"/plain\x1f", 4) }

func BenchmarkLookupMiss(b *testing.B) { benchStat(b, mountFlat(b, newFlat()).path+"\x1fnone", 1) }
