//go:build race

package sandbox

// raceEnabled says that memory weighs more than it does in truth.
const raceEnabled = true
