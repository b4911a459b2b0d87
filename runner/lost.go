package runner

import (
	"context"
	"fmt"
	"time"
)

// removalTime is more than a monitor takes to remove its container.
const removalTime = time.Minute

// RemoveLost removes the containers that were to go with their end, and are still
// there because their monitor was killed first.
func (r *Runner) RemoveLost(ctx context.Context) error {
	list, err := r.List()
	if err != nil {
		return err
	}
	for i := range list {
		c := &list[i]
		// A killed monitor has written no time at which it ended.
		if !c.Spec.Remove || c.State.Status != Exited || time.Since(c.State.FinishedAt) < removalTime || monitored(&c.Snapshot) {
			continue
		}
		if err := r.Remove(ctx, c, RemoveOptions{Volumes: true}); err != nil {
			r.Warn(fmt.Sprintf("container %s was to go with its end, and stays: %v", c.nameOrID(), err))
		}
	}
	return nil
}
