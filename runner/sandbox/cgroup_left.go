package sandbox

import (
	"errors"
	"path/filepath"
)

// RemoveGroup ends what is in the control groups of a sandbox whose caller was
// killed, and takes them away. Groups that aren't there are fine.
func RemoveGroup(name string) error {
	if err := checkGroupName(name); err != nil {
		return err
	}
	h, err := findHierarchies()
	if err != nil {
		return err
	}
	left := []*cgroup{{v1: map[string]string{}}}
	for controller, p := range h.v1 {
		if dir := filepath.Join(p.own, name); isDir(dir) {
			left[0].v1[controller] = dir
		}
	}
	if h.unified != nil {
		for _, parent := range h.unified.parents() {
			if dir := filepath.Join(parent, name); isDir(dir) {
				left = append(left, &cgroup{unified: dir})
			}
		}
	}
	for _, g := range left {
		if len(g.dirs()) > 0 {
			err = errors.Join(err, g.kill(), g.remove())
		}
	}
	return err
}
