package runner

import (
	"testing"

	"unionfs/layerstore"
)

func containerIn(dir string) Container { return Container{Snapshot: layerstore.SnapshotAt(dir)} }

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
