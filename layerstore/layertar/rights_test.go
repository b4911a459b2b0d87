package layertar_test

import (
	"archive/tar"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/layerstore/layertar"
)

// machineRoot tells whether this process is root of the machine, who may do
// what a root of a user namespace may not.
func machineRoot(t testing.TB) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	return unix.Geteuid() == 0 && strings.Contains(string(b), "4294967295")
}

// TestOwnerWithoutMapping: who may not give files away is told which id is the
// trouble and where it is to be had.
func TestOwnerWithoutMapping(t *testing.T) {
	for _, h := range []tar.Header{{Uid: 1234}, {Gid: 1234}} {
		h.Typeflag, h.Name = tar.TypeReg, "x"
		_, err := unpackInto(t, entries(t, h), layertar.UnpackOptions{IDs: layertar.RealIDs})
		if machineRoot(t) {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "1234") || !strings.Contains(err.Error(), "/etc/sub") {
			t.Errorf("got %v", err)
		}
	}
	h := tar.Header{Typeflag: tar.TypeReg, Name: "x", Uid: 1<<32 - 1, Format: tar.FormatPAX}
	if _, err := unpackInto(t, entries(t, h), layertar.UnpackOptions{IDs: ids()}); err == nil {
		t.Error("the uid that means none was taken")
	}
}

// TestWhatRightsForbid: devices and attributes that can't be are left out with
// one word each, and the rest is there.
func TestWhatRightsForbid(t *testing.T) {
	archive := entries(t,
		tar.Header{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3},
		tar.Header{Typeflag: tar.TypeChar, Name: "zero", Devmajor: 1, Devminor: 5},
		tar.Header{Typeflag: 'M', Name: "multi-volume"},
		pax(file("x"), "SCHILY.xattr.trusted.x", "y"), "1",
		pax(file("y"), "SCHILY.xattr.trusted.x", "y"), "2")
	u := unpack(t, archive)
	got, words := shape(t, u), strings.Join(u.words, "\n")
	switch {
	case machineRoot(t):
		if got != "null x=1 y=2 zero" || len(u.words) != 1 {
			t.Errorf("got %s, words %s", got, words)
		}
	case ids() == layertar.RealIDs:
		if got != "x=1 y=2" || len(u.words) != 3 || !strings.Contains(words, "devices") || !strings.Contains(words, "trusted.x") {
			t.Errorf("got %s, words %s", got, words)
		}
	default:
		if got != "null x=1 y=2 zero" || len(u.words) != 2 || !strings.Contains(words, "trusted.x") {
			t.Errorf("got %s, words %s", got, words)
		}
	}
}
