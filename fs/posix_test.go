package fs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"

	"unionfs/fs/fstest"
)

// TestPosix runs go-fuse's public conformance suite over the union, each test
// in a directory of upper and in one that is still in the lower layer.
func TestPosix(t *testing.T) {
	for _, where := range []string{"upper", "lower"} {
		t.Run(where, func(t *testing.T) {
			m := newMount(t, fstest.Layers{Lower: []string{"dir lower 0777"}})
			for name, test := range posixtest.All {
				if name == "FcntlFlockLocksFile" {
					continue // go-fuse itself leaves it out: it fails on ext4
				}
				t.Run(name, func(t *testing.T) {
					dir := filepath.Join(m.Root(), where, name)
					if err := os.MkdirAll(dir, 0o755); err != nil {
						t.Fatal(err)
					}
					test(t, dir)
				})
			}
		})
	}
}
