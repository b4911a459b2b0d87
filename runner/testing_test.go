package runner

import "unionfs/layerstore"

func containerIn(dir string) Container { return Container{Snapshot: layerstore.SnapshotAt(dir)} }
