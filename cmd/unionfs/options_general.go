package main

import "strings"

var generalOptions = []option{
	flag("ro", "read-only, even with an upperdir"),
	flag("rw", "writable (default with an upperdir)"),
	flag("suid", "honour set-user-id bits"), flag("nosuid", "ignore them"),
	flag("dev", "honour device nodes"), flag("nodev", "ignore them"),
	flag("exec", "programs may be run"), flag("noexec", "they may not"),
	flag("atime", "record access times"), flag("noatime", "record none"),
	flag("relatime", "record them now and then"), flag("norelatime", "undo relatime"),
	flag("strictatime", "record them always"), flag("nostrictatime", "undo strictatime"),
	flag("lazytime", "write times late"), flag("nolazytime", "undo lazytime"),
	flag("diratime", "record access times of directories"), flag("nodiratime", "record none"),
	{name: "sync", value: "0|1", alone: true, set: setSyncMount,
		help: "every write goes to the disk at once; sync=0 is the same as fsync=0"},
	flag("async", "undo sync"),
	flag("dirsync", "directory changes go to the disk at once"),
	flag("mand", "mandatory locks"), flag("nomand", "undo mand"),
	flag("silent", "fewer kernel messages"), flag("loud", "undo silent"),
	flag("private", "mount events don't spread to other namespaces"),
	flag("rprivate", "the same, with all mounts below"),
	flag("slave", "mount events come in and don't go out"),
	flag("rslave", "the same, with all mounts below"),
	flag("shared", "mount events spread both ways"),
	flag("rshared", "the same, with all mounts below"),
	flag("unbindable", "private, and no bind mount can be made of it"),
	flag("runbindable", "the same, with all mounts below"),
	flag("allow_other", "users other than the one who mounts may enter"),
	flag("allow_root", "root may enter too"),
	flag("default_permissions", "the kernel checks permissions"),
	{name: "fsname", value: "NAME", set: setSource,
		help: "the source that mount(8) shows"},
	{name: "subtype", value: "NAME", set: setSubtype,
		help: "the type that mount(8) shows is fuse.NAME"},
	label("context"), label("fscontext"), label("defcontext"), label("rootcontext"),
	{name: "remount", set: setRemount,
		help: "change ro, nosuid and their like of a mount that exists; everything else stays"},
}

// flag is a row whose word the file system reads by itself.
func flag(name, help string) option {
	return option{name: name, help: help, set: func(s *settings, _ string) error {
		s.general(name)
		return nil
	}}
}

// label is a row of an SELinux label. The quotes that protected its commas are
// for us, not for the kernel.
func label(name string) option {
	return option{name: name, value: "LABEL", help: "an SELinux label, see mount(8)",
		set: func(s *settings, value string) error {
			if value = strings.Trim(unescape(value), `"`); value == "" {
				return usagef("option %s needs a label", name)
			}
			s.general(name + "=" + value)
			return nil
		}}
}

func setSyncMount(s *settings, value string) error {
	if value == "" {
		s.general("sync")
		return nil
	}
	on, err := parseSwitch("sync", value)
	s.config.Union.NoSync = !on
	return err
}

func setSource(s *settings, value string) error {
	s.config.Source = unescape(value)
	return nil
}

func setSubtype(s *settings, value string) error {
	s.config.Subtype = unescape(value)
	return nil
}

func setRemount(s *settings, _ string) error {
	s.remount = true
	return nil
}
