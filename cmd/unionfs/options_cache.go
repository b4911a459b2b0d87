package main

import (
	"math"
	"strconv"
	"time"

	"github.com/docker/go-units"

	"unionfs/fs"
)

var cacheOptions = []option{
	{name: "volatile", set: setVolatile,
		help: "never sync; an upper that a crash left behind is refused at the next mount"},
	{name: "fsync", value: "0|1", set: setSync,
		help: "0: fsync on the mount returns at once and writes nothing"},
	{name: "timeout", value: "SECONDS", set: setTimeout,
		help: "how long the kernel may believe what it was told; for ever when not given; 0 shows changes made below the mount"},
	{name: "writeback", value: "0|1", set: setWriteback,
		help: "1 (default): the kernel collects small writes"},
	{name: "passthrough", value: "auto|on|off", set: setPassthrough,
		help: "whether the kernel reads and writes files in upper itself; auto (default): for root, where it can"},
	{name: "size", value: "BYTES", set: setQuota,
		help: "how much upper may take on disk, as in 10g; beyond it writing fails with ENOSPC"},
	{name: "max_write", value: "BYTES", set: setMaxWrite,
		help: "largest write request"},
	{name: "awake", value: "0|1", set: setAwake,
		help: "1 (default): for root on a small virtual machine, idle processors poll while requests come fast"},
	{name: "uring", value: "0|1", set: setUring,
		help: "1 (default): requests come over io_uring where the kernel offers it"},
	{name: "debug", set: setDebug,
		help: "print every request, and stay in the foreground (the same as -d)"},
}

func setVolatile(s *settings, _ string) error {
	s.config.Union.Volatile = true
	return nil
}

func setSync(s *settings, value string) error {
	on, err := parseSwitch("fsync", value)
	s.config.Union.NoSync = !on
	return err
}

func setTimeout(s *settings, value string) error {
	secs, err := strconv.ParseFloat(value, 64)
	if err != nil || secs < 0 || math.IsNaN(secs) {
		return badValue("timeout", value, "seconds, such as 0, 1 or 0.5")
	}
	// More seconds than a Duration holds are as good as for ever.
	if secs*float64(time.Second) >= math.MaxInt64 {
		s.config.Timeout = nil
		return nil
	}
	timeout := time.Duration(secs * float64(time.Second))
	s.config.Timeout = &timeout
	return nil
}

func setWriteback(s *settings, value string) error {
	on, err := parseSwitch("writeback", value)
	s.config.NoWriteback = !on
	return err
}

func setPassthrough(s *settings, value string) error {
	modes := map[string]fs.Passthrough{"auto": fs.PassthroughAuto, "on": fs.PassthroughOn, "off": fs.PassthroughOff, "1": fs.PassthroughOn, "0": fs.PassthroughOff}
	mode, ok := modes[value]
	if !ok {
		return badValue("passthrough", value, "auto, on or off")
	}
	s.config.Passthrough = mode
	return nil
}

func setQuota(s *settings, value string) error {
	n, err := units.RAMInBytes(value)
	if err != nil || n <= 0 {
		return badValue("size", value, "bytes, or a size such as 512m or 10g")
	}
	s.config.Union.Quota = n
	return nil
}

func setMaxWrite(s *settings, value string) error {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil || n < 4096 {
		return badValue("max_write", value, "bytes, at least 4096")
	}
	s.config.MaxWrite = int(n)
	return nil
}

func setAwake(s *settings, value string) error {
	on, err := parseSwitch("awake", value)
	s.config.MayHalt = !on
	return err
}

func setUring(s *settings, value string) error {
	on, err := parseSwitch("uring", value)
	s.config.NoUring = !on
	return err
}

func setDebug(s *settings, _ string) error {
	s.config.Debug, s.foreground = true, true
	return nil
}

// parseSwitch reads the words that people type for yes and no. An option that
// may stand alone comes with an empty value, and means yes.
func parseSwitch(name, value string) (bool, error) {
	switch value {
	case "", "1", "on", "yes", "true":
		return true, nil
	case "0", "off", "no", "false":
		return false, nil
	}
	return false, badValue(name, value, "on or off (1 or 0)")
}

func badValue(name, value, want string) error {
	return usagef("option %s: %q is not good, it must be %s", name, value, want)
}
