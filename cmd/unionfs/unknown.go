package main

import (
	"errors"
	"fmt"
	"strings"

	"unionfs/layerstore"
)

// listedBy are the commands that list things of a kind.
var listedBy = map[string]string{"container": "ps -a", "snapshot": "snapshot ls", "image": "images", "volume": "volume ls"}

// unknownAs says instead of err, which is about the last kind that was looked for, that
// nothing of several kinds has the name. Other failures stay what they are.
func unknownAs(err error, what string, kinds ...string) error {
	var image *layerstore.UnknownImageError
	if err != nil && !errors.As(err, &image) {
		return err
	}
	var lists []string
	for _, kind := range kinds {
		lists = append(lists, listedBy[kind])
	}
	last := len(kinds) - 1
	return fmt.Errorf("no %s or %s %q: unionfs %s and %s list what there is",
		strings.Join(kinds[:last], ", "), kinds[last], what, strings.Join(lists[:last], ", "), lists[last])
}
