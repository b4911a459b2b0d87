package main

import "slices"

// ignoredOptions are options of other programs that ask for what we do anyway,
// or that we can't do. The first are taken in silence, the others get a line.
var ignoredOptions = []option{
	choice("threaded", "0|1", "we always serve several requests at once", "", "0", "1"),
	choice("fast_ino", "0|1", "inode numbers are stable and cost nothing", "", "0", "1"),
	choice("xino", "off|auto|on", "inode numbers never collide", "off", "auto", "on"),
	hollow("clone_fd", "", "the requests are spread by other means"),
	hollow("max_threads", "N", "threads are started as needed"),
	hollow("max_idle_threads", "N", "threads are started as needed"),
	hollow("auto_unmount", "", "a server that is told to end unmounts first"),
	hollow("nonempty", "", "a target with something in it is mounted over anyway"),
	mountWord("defaults"), mountWord("auto"), mountWord("noauto"), mountWord("nofail"),
	mountWord("_netdev"), mountWord("user"), mountWord("nouser"), mountWord("users"),
	mountWord("owner"), mountWord("group"),
	lost("plugins", "PATH[:PATH…]", "plugins of other programs can't be loaded"),
	lost("nfs_export", "on|off", "the mount can't be exported by the kernel's NFS server"),
	lost("uuid", "on|off|auto|null", "the mount has no UUID"),
}

// choice is a row with fixed words that change nothing.
func choice(name, value, why string, words ...string) option {
	return option{name: name, value: value, help: "ignored: " + why, alone: words[0] == "",
		set: func(_ *settings, value string) error {
			if !slices.Contains(words, value) {
				return badValue(name, value, "one of "+value)
			}
			return nil
		}}
}

// hollow is a row that is as good as done, whatever its value.
func hollow(name, value, why string) option {
	return option{name: name, value: value, alone: true, help: "ignored: " + why,
		set: func(*settings, string) error { return nil }}
}

// mountWord is an option of fstab(5) that speaks to mount(8) alone.
func mountWord(name string) option {
	return hollow(name, "", "a word for mount(8)")
}

// lost is a row for something that we can't do. Who asks for it is told; who
// asks for it to be off gets what is wanted.
func lost(name, value, why string) option {
	return option{name: name, value: value, alone: true, help: "ignored with a warning: " + why,
		set: func(s *settings, value string) error {
			if value != "off" && value != "null" {
				s.note("option " + name + " is ignored: " + why)
			}
			return nil
		}}
}
