package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// unreachableProbe is run in a container. What it prints begins with "ok" unless
// the container got hold of something; $1 is the number that the process which
// serves its files has on the machine.
const unreachableProbe = `
say() { echo "$@"; }
[ -e /proc/$1 ] && [ "$(readlink /proc/$1/exe)" != /bin/busybox ] && say sees process $1
kill -0 $1 2>/dev/null && [ ! -e /proc/$1 ] && say may signal process $1
for p in /proc/[0-9]*; do
	case "$(cat $p/cmdline 2>/dev/null)" in *__mon[i]tor*) say sees the monitor: $p ;; esac
	for f in $p/fd/*; do
		case "$(readlink $f)" in *fuse*|*snapshots*|*store*|socket:*) say $p has $(readlink $f) ;; esac
	done
done
ls /sys/fs/fuse/connections/* >/dev/null 2>&1 && say sees connections in /sys
mkdir -p /tmp/ctl && mount -t fusectl none /tmp/ctl 2>/dev/null && say mounts fusectl
ls /run/unionfs >/dev/null 2>&1 && say sees sockets
[ -e /dev/fuse ] && say has /dev/fuse
mknod /tmp/fuse c 10 229 2>/dev/null && (exec 3<>/tmp/fuse) 2>/dev/null && say opens a fuse device of its own
echo ok
`

// initProbe looks into process 1 where that is our own program.
const initProbe = `
[ "$(cat /proc/1/comm)" = busybox ] && echo has no init
cat /proc/1/environ >/dev/null 2>&1 && echo reads its environment
head -c 1 /proc/1/mem >/dev/null 2>&1 && echo reads its memory
for f in /proc/1/fd/*; do readlink $f >/dev/null 2>&1 && echo sees its descriptors; done
ls /proc/1/root/ >/dev/null 2>&1 && echo sees its root
readlink /proc/1/exe >/dev/null 2>&1 && echo sees its program
kill -9 1; kill -STOP 1; sleep 0.1
case "$(cat /proc/1/stat)" in *") T "*) echo stops it ;; esac
echo ok
`

// cmdUnreachable: unreachable CONTAINER [init] tries from within a container to
// reach the process that serves its files, and with init its process 1.
func cmdUnreachable(ts *testscript.TestScript, _ bool, args []string) {
	out, errOut, status := runIn(ts, []string{"unionfs", "inspect", args[0]})
	var all []struct{ State struct{ Pid int } }
	if err := json.Unmarshal([]byte(out), &all); err != nil || status != 0 || all[0].State.Pid == 0 {
		ts.Fatalf("no process of %s is known: %v %s", args[0], err, errOut)
	}
	monitor := parentOf(ts, all[0].State.Pid)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", monitor))
	if err != nil || !strings.Contains(string(text), monitorWord) {
		ts.Fatalf("process %d is no monitor: %q, %v", monitor, text, err)
	}
	probes := []string{unreachableProbe}
	if len(args) > 1 {
		probes = append(probes, initProbe)
	}
	for _, probe := range probes {
		out, errOut, status := runIn(ts, []string{"unionfs", "exec", args[0], "sh", "-c", probe, "sh", fmt.Sprint(monitor)})
		if out != "ok\n" || status != 0 {
			ts.Fatalf("%s: exit status %d: %s%s", args[0], status, out, errOut)
		}
	}
}
