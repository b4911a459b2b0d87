package main

import (
	"unionfs/fs"
)

// settings is what a mount command line asks for.
type settings struct {
	config fs.Config

	foreground bool
	// fake checks everything that can be checked and mounts nothing: the -f
	// of mount(8)'s helpers.
	fake bool
	// remount changes the general options of a mount that exists.
	remount bool

	// unknown are the options that no table row knows, in the order typed.
	unknown []string
	// advice are remarks about options that were read and have no effect.
	advice []string
}

func newSettings() *settings {
	return &settings{config: fs.Config{FD: -1}}
}

// note remembers a remark; each is told once, whatever is typed twice.
func (s *settings) note(line string) {
	for _, old := range s.advice {
		if old == line {
			return
		}
	}
	s.advice = append(s.advice, line)
}

// general keeps an option that the kernel's mount flags or the FUSE layer
// understand, in the order typed: "ro,rw" ends up writable.
func (s *settings) general(word string) {
	s.config.Options = append(s.config.Options, word)
}
