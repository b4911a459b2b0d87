package registry

import (
	"context"
	"errors"
	"io"
	"time"
)

var errStalled = errors.New("nothing came for too long")

// lively reads a body and ends it with errStalled when nothing comes for long:
// TCP alone waits for ever for a server that died.
type lively struct {
	body  io.ReadCloser
	ctx   context.Context
	timer *time.Timer
	stall time.Duration
	end   context.CancelCauseFunc
}

// newLively watches a body whose request was made with ctx, which end ends.
func newLively(ctx context.Context, end context.CancelCauseFunc, body io.ReadCloser, stall time.Duration) *lively {
	return &lively{body: body, ctx: ctx, stall: stall, end: end,
		timer: time.AfterFunc(stall, func() { end(errStalled) })}
}

func (l *lively) Read(p []byte) (int, error) {
	l.timer.Reset(l.stall)
	n, err := l.body.Read(p)
	l.timer.Stop() // what our reader does with it may take its time
	if err != nil && err != io.EOF && errors.Is(context.Cause(l.ctx), errStalled) {
		err = errStalled
	}
	return n, err
}

func (l *lively) Close() error {
	l.timer.Stop()
	defer l.end(nil)
	return l.body.Close()
}
