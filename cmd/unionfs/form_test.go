package main

import (
	"strings"
	"testing"
)

func TestDecide(t *testing.T) {
	for line, want := range map[string]string{
		"unionfs":                                "tree ",
		"unionfs mount -o lowerdir=a t":          "mount -o lowerdir=a t",
		"/usr/bin/unionfs mount --help":          "mount --help",
		"unionfs -o lowerdir=a t":                "mount -o lowerdir=a t",
		"unionfs -f -o lowerdir=a t":             "mount -f -o lowerdir=a t",
		"unionfs overlay /t -o lowerdir=a,dev":   "mount overlay /t -o lowerdir=a,dev",
		"unionfs --version":                      "mount --version",
		"unionfs -V":                             "mount -V",
		"unionfs --help":                         "tree --help",
		"unionfs umount t":                       "tree umount t",
		"unionfs umount -l t":                    "tree umount -l t",
		"unionfs version":                        "tree version",
		"unionfs save -o x y":                    "tree save -o x y",
		"unionfs --root /r images":               "tree --root /r images",
		"unionfs --root=/r save -o x y":          "tree --root=/r save -o x y",
		"unionfs completion bash":                "tree completion bash",
		"unionfs mout t":                         "tree mout t",
		"fuse-overlayfs -o lowerdir=a t":         "mount -o lowerdir=a t",
		"fuse-overlayfs umount t -o lowerdir=a":  "mount umount t -o lowerdir=a",
		"fuse-overlayfs":                         "mount ",
		"whatever t -o lowerdir=a":               "mount t -o lowerdir=a",
		"mount.unionfs overlay t -o lowerdir=a":  "helper overlay t -o lowerdir=a",
		"/sbin/mount.fuse.unionfs s t -n -o ro":  "helper s t -n -o ro",
		"mount.fuse-overlayfs s t -o lowerdir=a": "helper s t -o lowerdir=a",
	} {
		f := decide(strings.Fields(line))
		got := map[formKind]string{formTree: "tree", formMount: "mount", formHelper: "helper"}[f.kind] +
			" " + strings.Join(f.args, " ")
		if got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// Every command is known as one, so that none of its flags makes it a mount, and is
// found by its name alone.
func TestVerbsAreTheCommands(t *testing.T) {
	for _, cmd := range newTree().Commands() {
		for _, name := range append(cmd.Aliases, cmd.Name()) {
			if name != "mount" && !isVerb(name) {
				t.Errorf("the command %s isn't known", name)
			}
		}
		if one := treeFor([]string{cmd.Name()}).Commands(); len(one) != 1 || one[0].Name() != cmd.Name() {
			t.Errorf("the command %s alone isn't what is built for it", cmd.Name())
		}
	}
}

func TestCommandWord(t *testing.T) {
	for line, want := range map[string]string{
		"": "", "run --root x": "run", "--root run ps": "ps", "--root=x --config y ps": "ps", "--root": "",
		"--help": "--help", "-h run": "-h", "help run": "help",
	} {
		if got := commandWord(strings.Fields(line)); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	if all := treeFor([]string{"help", "run"}).Commands(); len(all) < 40 {
		t.Errorf("help knows %d commands", len(all))
	}
}

func TestDecideWithoutArguments(t *testing.T) {
	if f := decide(nil); f.kind != formTree {
		t.Errorf("an empty argv is the form %v, want the tree", f.kind)
	}
}
