package runner

import (
	"context"

	"unionfs/runner/sandbox"
)

// startSandbox makes a sandbox, gives it its network, and runs its program.
func startSandbox(ctx context.Context, s *sandbox.Spec, network func(pid int) error) (*sandbox.Sandbox, error) {
	plug := func(pid int) error {
		if err := network(pid); err != nil {
			return &sandbox.StartError{Code: 125, Step: "network", Err: err}
		}
		return nil
	}
	meanwhile := plug
	if len(s.Sysctls) > 0 {
		meanwhile = nil // what they say of new interfaces comes first
	}
	box, err := sandbox.Create(ctx, *s, meanwhile)
	if err != nil {
		return nil, err
	}
	if meanwhile == nil {
		if err := plug(box.Pid()); err != nil {
			_ = box.Kill() // Close waits for its end
			box.Close()
			return nil, err
		}
	}
	if err := box.Release(ctx); err != nil {
		return nil, err
	}
	return box, nil
}
