// Command unionfs stacks directories into one file system, copy-on-write.
//
// This package is words in, words out: it reads command lines, starts and
// stops servers and prints what happened. What a union is stands in fs.
package main

import (
	"os"
	"os/user"
	"strconv"

	"unionfs/runner/sandbox"
)

func main() {
	sandbox.PassGate()
	os.Exit(run(os.Args))
}

// run is the program. What is asked for is decided from the shape of the
// command line alone; only then is anything built or done. Mounting doesn't
// build the tree of commands, because containers wait for it.
func run(argv []string) int {
	form := decide(argv)
	switch form.kind {
	case formMount, formHelper:
		return runMount(form)
	}
	collectLater()
	findHome()
	return runTree(form.args)
}

// findHome has programs that were started without HOME (by cron, by init) keep what is
// a user's where that user's other programs do: nobody else would find it, and in a user
// namespace, where all are root, it would be everybody's.
func findHome() {
	if os.Getenv("HOME") != "" {
		return
	}
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil && u.HomeDir != "" {
		_ = os.Setenv("HOME", u.HomeDir) // never fails for such a name
	}
}
