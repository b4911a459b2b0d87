// Command unionfs stacks directories into one file system, copy-on-write.
//
// This package is words in, words out: it reads command lines, starts and
// stops servers and prints what happened. What a union is stands in fs.
package main

import (
	"os"

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
	return runTree(form.args)
}
