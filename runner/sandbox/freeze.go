package sandbox

import "errors"

// Freeze stops all processes of the sandbox, or lets them go on.
func (sb *Sandbox) Freeze(frozen bool) error {
	if sb.cgroup == nil {
		return errors.New("it can't be paused: no cgroup could be made for it here")
	}
	sb.frozen.Store(true)
	if err := sb.cgroup.freeze(frozen); err != nil {
		return err
	}
	sb.frozen.Store(frozen)
	return nil
}
