package runner

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ParseSignal reads a signal as kill(1) does: TERM, SIGTERM or 15.
func ParseSignal(word string) (unix.Signal, error) {
	if n, err := strconv.Atoi(word); err == nil {
		if n < 1 || n > 64 {
			return 0, fmt.Errorf("%q is no signal: 1 to 64 are", word)
		}
		return unix.Signal(n), nil
	}
	name := strings.ToUpper(word)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if sig := unix.SignalNum(name); sig != 0 {
		return sig, nil
	}
	base, offset, _ := strings.Cut(strings.TrimPrefix(name, "SIG"), "+")
	n, _ := strconv.Atoi(offset)
	if base == "RTMIN" && n >= 0 && n <= 30 {
		return unix.Signal(34 + n), nil // glibc's, whose numbers images mean
	}
	return 0, fmt.Errorf("%q is no signal: a name as TERM or a number is expected", word)
}

// stopSignal is what asks the container to end.
func (s *Spec) stopSignal(image string) (unix.Signal, error) {
	switch {
	case s.StopSignal != "":
		return ParseSignal(s.StopSignal)
	case image != "":
		return ParseSignal(image)
	}
	return unix.SIGTERM, nil
}
