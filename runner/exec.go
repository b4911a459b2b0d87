package runner

import (
	"context"

	"unionfs/runner/sandbox"
)

// execSandbox runs a further program in a sandbox.
func execSandbox(ctx context.Context, box *sandbox.Sandbox, p sandbox.Process, io sandbox.Stdio) (*sandbox.Sandbox, error) {
	return sandbox.Exec(ctx, box.Pid(), p, io)
}
