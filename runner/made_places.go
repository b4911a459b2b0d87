package runner

import (
	"slices"

	"unionfs/layerstore/layertar"
)

// madePlaces are where every container has mounts of ours. Where the image hasn't got
// them they are made, empty, in what the container writes.
var madePlaces = []string{"/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}

// OwnChanges are the changes that a container made itself: docker and podman leave the
// places of mounts out, too.
func OwnChanges(all []layertar.Change) []layertar.Change {
	return slices.DeleteFunc(all, func(c layertar.Change) bool {
		return c.Kind == layertar.Added && slices.Contains(madePlaces, c.Path)
	})
}
