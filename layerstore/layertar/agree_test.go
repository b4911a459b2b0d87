package layertar_test

import (
	"archive/tar"
	"fmt"
	"math/rand"
	"os/exec"
	"path/filepath"
	"testing"

	"unionfs/fs/fstest"
	"unionfs/layerstore/layertar"
)

// TestAgreesWithUmoci unpacks random archives whose entries replace each other
// and lead through symlinks: what umoci takes, we take, and make the same tree.
func TestAgreesWithUmoci(t *testing.T) {
	fstest.NeedRoot(t)
	seeds := 40
	if testing.Short() {
		seeds = 4
	}
	agreed := 0
	for seed := range seeds {
		list := randomEntries(rand.New(rand.NewSource(int64(seed))))
		archive := entries(t, list...)
		ours, err := unpackInto(t, archive, layertar.UnpackOptions{IDs: layertar.RealIDs})
		layout, theirs := imageOf(t, [][]byte{archive}), filepath.Join(t.TempDir(), "out")
		if exec.Command("umoci", "raw", "unpack", "--image", layout+":x", theirs).Run() != nil {
			continue // we take hard links to themselves, and it doesn't
		}
		if err != nil {
			t.Errorf("umoci takes this, and we don't: %v\n%v", err, list)
			continue
		}
		o := fstest.SnapshotOptions{NoMtime: true}
		if diff := fstest.Diff(linesWith(t, theirs, o), linesWith(t, ours.dir, o)); diff != "" {
			t.Errorf("umoci's tree (-) and ours (+):\n%s\n%v", diff, list)
		}
		agreed++
	}
	if agreed < seeds/4 {
		t.Errorf("only %d of %d archives were good", agreed, seeds)
	}
}

func randomEntries(rng *rand.Rand) (list []any) {
	names := []string{"a", "b", "d/b", "d/a", "a/x", "d/a/x", "e/c", "b/c"}
	targets := []string{"d", "/d", "../d", "e", "/d/a", "q"}
	last := "a" // file
	for range 6 {
		name := names[rng.Intn(len(names))]
		switch kind := rng.Intn(7); {
		case kind < 2:
			list = append(list, dir(name+"/"))
		case kind < 4:
			list, last = append(list, file(name), fmt.Sprint(len(list))), name
		case kind < 5:
			list = append(list, symlink(name, targets[rng.Intn(len(targets))]))
		case kind < 6:
			list = append(list, link(name, last))
		default:
			list = append(list, tar.Header{Typeflag: tar.TypeFifo, Name: name})
		}
	}
	return list
}
