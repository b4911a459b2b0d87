package runner

import (
	"context"

	"unionfs/runner/sandbox"
)

// startSandbox makes a sandbox, gives it its network, and runs its program.
func startSandbox(ctx context.Context, s *sandbox.Spec, network func(pid int) error) (*sandbox.Sandbox, error) {
	box, err := sandbox.Create(ctx, *s)
	if err != nil {
		return nil, err
	}
	if err := network(box.Pid()); err != nil {
		_ = box.Kill() // Close waits for its end
		box.Close()
		return nil, &sandbox.StartError{Code: 125, Step: "network", Err: err}
	}
	if err := box.Release(ctx); err != nil {
		return nil, err
	}
	return box, nil
}
