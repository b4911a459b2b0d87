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

// cmdLean: lean CONTAINER says that the process which serves an idle container
// takes little memory, that which it shares with others counted too.
func cmdLean(ts *testscript.TestScript, _ bool, args []string) {
	out, errOut, status := runIn(ts, []string{"unionfs", "inspect", args[0]})
	var all []struct{ State struct{ Pid int } }
	if err := json.Unmarshal([]byte(out), &all); err != nil || status != 0 || all[0].State.Pid == 0 {
		ts.Fatalf("no process of %s is known: %v %s", args[0], err, errOut)
	}
	file := fmt.Sprintf("/proc/%d/status", parentOf(ts, all[0].State.Pid))
	resident := 0
	if !eventually(func() bool {
		text, err := os.ReadFile(file)
		ts.Check(err)
		_, rest, _ := strings.Cut(string(text), "VmRSS:")
		_, err = fmt.Sscan(rest, &resident)
		ts.Check(err)
		return resident <= leanKiB
	}) {
		ts.Fatalf("the monitor of %s takes %d KiB, and %d are allowed", args[0], resident, leanKiB)
	}
}
