package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// earlyPercent puts the first collection off until the heap has 32 MB (the least
// goal, 4 MB, times this).
const earlyPercent = 800

// collectLater is for commands, most of which end before they have garbage worth
// collecting: starting a container took two collections, a tenth of its time.
// After the first one all is as usual; a wish of the user's own (GOGC) holds.
func collectLater() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(earlyPercent)
	runtime.AddCleanup(new([16]byte), func(struct{}) { debug.SetGCPercent(100) }, struct{}{})
}
