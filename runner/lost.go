package runner

import (
	"context"
	"fmt"
	"time"
)

// removalTime is more than a monitor takes to remove its container, and more than a
// container that is started at once waits for its monitor.
const removalTime = time.Minute

// isLost says of a container without a monitor that it was to go with its end, and that
// whoever was to see to that was killed.
func (c *Container) isLost(now time.Time) bool {
	switch {
	case !c.Spec.Remove:
		return false
	case c.State.Status == Created:
		return c.Spec.AtOnce && now.Sub(c.Created) > removalTime
	}
	// A killed monitor has written no time at which it ended.
	return c.State.Status == Exited && now.Sub(c.State.FinishedAt) > removalTime
}

// RemoveLost removes the containers that were to go with their end, and are still
// there because their monitor, or who was about to start them, was killed first.
func (r *Runner) RemoveLost(ctx context.Context) error {
	list, err := r.List()
	if err != nil {
		return err
	}
	for i := range list {
		c := &list[i]
		if !c.isLost(time.Now()) || monitored(&c.Snapshot) {
			continue
		}
		if err := r.Remove(ctx, c, RemoveOptions{Volumes: true}); err != nil {
			r.Warn(fmt.Sprintf("container %s was to go with its end, and stays: %v", c.nameOrID(), err))
		}
	}
	return nil
}
