package main

import (
	"slices"
	"strings"
	"testing"
)

// ask reads a command line the way run does.
func ask(line ...string) (*request, error) { return newRequest(decide(line)) }

func TestRequestForms(t *testing.T) {
	for _, c := range []struct {
		line                    string
		target, source, subtype string
		options                 string
		foreground              bool
	}{
		{line: "unionfs mount -o lowerdir=/a /t", target: "/t"},
		{line: "unionfs mount /t -o lowerdir=/a -o ro", target: "/t", options: "ro"},
		{line: "unionfs -olowerdir=/a,ro /t", target: "/t", options: "ro"},
		{line: "unionfs -fo lowerdir=/a /t", target: "/t", foreground: true},
		{line: "unionfs -d -s -o lowerdir=/a /t", target: "/t", foreground: true},
		{line: "unionfs mount --debug -o lowerdir=/a -- /t", target: "/t", foreground: true},
		{line: "unionfs overlay /t -o lowerdir=/a,dev,suid", target: "/t", source: "overlay", options: "dev,suid"},
		{line: "unionfs overlay /t -o lowerdir=/a,fsname=x", target: "/t", source: "x"},
		{line: "fuse-overlayfs -o lowerdir=/a,,volatile /t", target: "/t", source: "fuse-overlayfs", subtype: "fuse-overlayfs"},
		{line: "fuse-overlayfs overlay /t -o lowerdir=/a", target: "/t", source: "overlay", subtype: "fuse-overlayfs"},
		{line: "mount.fuse.unionfs overlay /t -o rw,lowerdir=/a", target: "/t", source: "overlay", options: "rw"},
		{line: "mount.unionfs s /t -s -n -v -r -o lowerdir=/a", target: "/t", source: "s", options: "ro"},
		{line: "mount.fuse s /t -o lowerdir=/a -t fuse.union2", target: "/t", source: "s", subtype: "union2"},
	} {
		r, err := ask(strings.Fields(c.line)...)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if r.config.Target != c.target || r.config.Source != c.source || r.config.Subtype != c.subtype ||
			strings.Join(r.config.Options, ",") != c.options || r.foreground != c.foreground || r.config.FD != -1 {
			t.Errorf("%s: got target %q source %q subtype %q options %q foreground %v fd %d", c.line, r.config.Target,
				r.config.Source, r.config.Subtype, r.config.Options, r.foreground, r.config.FD)
		}
	}
}

func TestRequestRefused(t *testing.T) {
	for _, c := range []struct{ line, says string }{
		{"unionfs mount -o lowerdir=/a", "no target"},
		{"unionfs mount /t", "no layers"},
		{"unionfs mount -o lowerdir= /t", "no layers"},
		{"unionfs mount -o upperdir=/u,workdir=/w /t", "no layers"},
		{"unionfs mount -o lowerdir=/a,upperdir=/u /t", "workdir"},
		{"unionfs mount -o lowerdir=/a a b c", "3 words"},
		{"unionfs mount -x -o lowerdir=/a /t", "-x"},
		{"unionfs mount -o", "-o"},
		{"unionfs mount -o lowerdir=/a /dev/fd/x", "/dev/fd/x"},
		{"unionfs mount -o lowerdir=/a /dev/fd/987", "987"},
		{"mount.unionfs s /t -N 12 -o lowerdir=/a", "namespace"},
	} {
		_, err := ask(strings.Fields(c.line)...)
		if err == nil || statusOf(err) != exitUsage || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got the error %v, want a usage error about %q", c.line, err, c.says)
		}
	}
	if _, err := ask("unionfs", "mount", "-o", "lowerdir=/a", ""); err == nil {
		t.Error("an empty target is taken")
	}
}

func TestRequestTakesAnOpenDescriptor(t *testing.T) {
	r, err := ask("fuse-overlayfs", "-f", "-o", "lowerdir=/a,noacl", "/dev/fd/0")
	if err != nil || r.config.FD != 0 || r.config.Target != "/dev/fd/0" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRemountNeedsNoLayers(t *testing.T) {
	r, err := ask("mount.unionfs", "overlay", "/t", "-o", "remount,ro")
	if err != nil || !r.remount || !slices.Equal(r.config.Options, []string{"ro"}) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestWorkWithoutUpperIsAdvice(t *testing.T) {
	r, err := ask("unionfs", "mount", "-o", "lowerdir=/a,workdir=/w", "/t")
	if err != nil || r.config.Union.Work != "" || len(r.advice) != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}
