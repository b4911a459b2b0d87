package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// leanKiB is what an idle container may cost of ours.
const leanKiB = 25 << 10

// cmdLean: lean CONTAINER [init] says that the processes of ours that an idle
// container has take little memory, that which they share with others counted too:
// the one that serves it and, with the second word, its process 1.
func cmdLean(ts *testscript.TestScript, _ bool, args []string) {
	out, errOut, status := runIn(ts, []string{"unionfs", "inspect", args[0]})
	var all []struct{ State struct{ Pid int } }
	if err := json.Unmarshal([]byte(out), &all); err != nil || status != 0 || all[0].State.Pid == 0 {
		ts.Fatalf("no process of %s is known: %v %s", args[0], err, errOut)
	}
	ours := []int{parentOf(ts, all[0].State.Pid)}
	if len(args) > 1 {
		ours = append(ours, all[0].State.Pid)
	}
	resident := 0
	if !eventually(func() bool {
		resident = 0
		for _, pid := range ours {
			resident += residentKiB(ts, pid)
		}
		return resident <= leanKiB
	}) {
		ts.Fatalf("the container %s takes %d KiB, and %d are allowed", args[0], resident, leanKiB)
	}
}

func residentKiB(ts *testscript.TestScript, pid int) (resident int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	ts.Check(err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	_, err = fmt.Sscan(rest, &resident)
	ts.Check(err)
	return resident
}
