package runner

import (
	"context"

	"unionfs/runner/sandbox"
)

// execSandbox runs a further program beside another one.
func execSandbox(ctx context.Context, l *life, p sandbox.Process, io sandbox.Stdio) (*life, error) {
	if e, ok := l.program.(executor); ok {
		return e.exec(ctx, p, io)
	}
	return inSandbox(sandbox.Exec(ctx, l.Pid(), p, io))
}
