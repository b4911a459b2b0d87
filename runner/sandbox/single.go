package sandbox

import "os"

// SingleMaps are the maps of a user namespace in which the own ids are root's
// and no others exist. Everybody may make one.
func SingleMaps() IDMaps {
	return IDMaps{UIDs: []IDRange{{Host: os.Getuid(), Count: 1}}, GIDs: []IDRange{{Host: os.Getgid(), Count: 1}}}
}
