package main

import (
	"debug/elf"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// qemu's entries, as Debian registers them.
const (
	qemuARM64 = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n" +
		"magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
	qemuS390 = "enabled\ninterpreter /usr/libexec/qemu-binfmt/s390x-binfmt-P\nflags: POCF\noffset 0\n" +
		"magic 7f454c4602020100000000000000000000020016\nmask ffffffffffffff00fffffffffffffffffffeffff\n"
)

func TestEmulators(t *testing.T) {
	for _, row := range []struct {
		text    string
		machine elf.Machine
		want    bool
	}{
		{qemuARM64, elf.EM_AARCH64, true}, {qemuARM64, elf.EM_ARM, false}, {qemuS390, elf.EM_S390, true},
		{"disabled" + qemuARM64[len("enabled"):], elf.EM_AARCH64, false},
		{"enabled\ninterpreter /usr/bin/python3\nmagic 4200\n", elf.EM_AARCH64, false},
		{"enabled", elf.EM_AARCH64, false}, {"enabled\nmagic xyz\n", elf.EM_AARCH64, false},
	} {
		if got := takes(row.text, row.machine); got != row.want {
			t.Errorf("%v by %.60q: %v", row.machine, row.text, got)
		}
	}
}

func TestExecutes(t *testing.T) {
	for p, want := range map[string]bool{"linux/" + runtime.GOARCH: true, "windows/" + runtime.GOARCH: false, "linux/pdp11": false} {
		on, err := v1.ParsePlatform(p)
		if err != nil || executes(*on) != want {
			t.Errorf("%s: %v (%v)", p, !want, err)
		}
	}
	if !executes(v1.Platform{}) {
		t.Error("an image that doesn't say for what it is can't be tried")
	}
}
