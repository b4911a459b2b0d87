package bench

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// serverWorkloads look at the server and at what others feel of its work.
func serverWorkloads() []Workload {
	return []Workload{
		{Name: "copyup-latency", What: "small lower files opened for append while the big one copies up: the slowest of a hundred",
			Unit: "ms", lowers: bigLowers, writes: true, before: warmLowers, run: copyUpLatency},
		{Name: "memory", What: "memory of the server, with so many files that the kernel knows", Unit: "MiB",
			lowers: []string{"inodes"}, served: true, run: memory},
	}
}

// copyUpLatency changes the big file in another process, byte by byte all over
// it, and takes the time of each small copy-up beside it.
func copyUpLatency(b *Bed) error {
	files, err := b.smallFiles(b.size("latency"))
	if err != nil {
		return err
	}
	big := b.command("dd", "status=none", "if=/dev/zero", "of="+b.path(bigName), "bs=1", "count=1", "conv=notrunc")
	if err := big.Start(); err != nil {
		return err
	}
	waits, err := timeEach(files, appendLine)
	if err := errors.Join(err, big.Wait()); err != nil {
		return err
	}
	if len(waits) == 0 {
		return fmt.Errorf("the lower tree has no small file")
	}
	slices.Sort(waits)
	for _, p := range []int{50, 90, 99, 100} {
		b.note("p"+strconv.Itoa(p), percentile(waits, p))
	}
	b.measured(percentile(waits, 99))
	return nil
}

// timeEach are the milliseconds that do took with each.
func timeEach(paths []string, do func(string) error) (waits []float64, err error) {
	for _, path := range paths {
		start := time.Now()
		if err := do(path); err != nil {
			return nil, err
		}
		waits = append(waits, float64(time.Since(start))/1e6)
	}
	return waits, nil
}

func memory(b *Bed) error {
	before := b.serverMemory()
	if err := b.tool("find", b.root, "-size", "+1000000G"); err != nil { // asks each for its size
		return err
	}
	after := b.serverMemory()
	b.note("idle", float64(before)/(1<<20))
	b.note("bytes per file", float64(after-before)/float64(b.size("inodes")))
	b.measured(float64(after) / (1 << 20))
	return nil
}

// containers starts containers one after the other and tells the time of one.
func containers(b *Bed) error {
	words := map[string]string{"tar": b.files["image"], "rootfs": b.lowers[len(b.lowers)-1], "dir": b.scratch}
	defer func() {
		for _, argv := range b.engine.Clear {
			_ = exec.Command(argv[0], fill(argv[1:], words)...).Run() // the folder goes anyway
		}
	}()
	for _, argv := range b.engine.Prepare {
		if err := b.tool(fill(argv, words)...); err != nil {
			return err
		}
	}
	unix.Sync()
	start := time.Now()
	for i := range b.size("containers") {
		words["number"] = strconv.Itoa(i)
		if err := b.tool(fill(b.engine.Start, words)...); err != nil {
			return err
		}
	}
	b.measured(time.Since(start).Seconds() / float64(b.size("containers")))
	return nil
}
