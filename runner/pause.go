package runner

import (
	"context"
	"errors"
	"fmt"
)

// Freeze stops all processes of a running container, or lets them go on.
func (r *Runner) Freeze(ctx context.Context, c *Container, stop bool) error {
	return r.ask(ctx, c, request{Op: "freeze", Freeze: stop}, nil)
}

// Pause is Freeze for somebody who wants to hear of it when there is nothing to do.
func (r *Runner) Pause(ctx context.Context, c *Container, stop bool) error {
	switch {
	case c.State.Status == Running && stop && c.State.Paused:
		return fmt.Errorf("container %s is paused already", c.nameOrID())
	case c.State.Status == Running && !stop && !c.State.Paused:
		return fmt.Errorf("container %s is not paused", c.nameOrID())
	}
	return r.Freeze(ctx, c, stop)
}

// freezeClient also writes down which it is, for those who look without asking.
func (m *monitor) freezeClient(_ *framed, q *request) (answer, error) {
	m.stateMu.Lock()
	defer m.stateMu.Unlock()
	if m.box == nil {
		return answer{}, errors.New("it hasn't started yet")
	}
	if err := m.box.Freeze(q.Freeze); err != nil {
		return answer{}, err
	}
	st, err := readState(&m.c.Snapshot)
	if err != nil || st.Status != Running || st.Paused == q.Freeze {
		return answer{}, err
	}
	st.Paused = q.Freeze
	return answer{}, writeState(&m.c.Snapshot, st)
}

// writeState writes what the container is by now.
func (m *monitor) writeState(st State) error {
	m.stateMu.Lock()
	defer m.stateMu.Unlock()
	return writeState(&m.c.Snapshot, st)
}
