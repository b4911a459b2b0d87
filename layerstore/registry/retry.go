package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// longestWait is how long a server may ask us to stay away before that is an
// error: longer pauses are the user's to decide about.
const longestWait = 2 * time.Minute

// RateError says that a server wants fewer requests.
type RateError struct {
	Host  string
	After time.Duration // 0 when it doesn't say
	Words string        // of its own
}

func (e *RateError) Error() string {
	when := "later"
	if e.After > 0 {
		when = fmt.Sprintf("in %s", e.After.Round(time.Second))
	}
	return fmt.Sprintf("%s wants fewer requests (429 Too Many Requests)%s: try again %s, or log in with unionfs login, which often raises the limit", e.Host, e.Words, when)
}

// retrying repeats requests that failed for reasons that may pass. Requests
// with a body aren't repeated, since what the server has of it is unknown: the
// whole upload is begun anew by whoever made it.
type retrying struct {
	inner   http.RoundTripper
	retries int
	backoff time.Duration
}

func (t *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 0; ; try++ {
		res, err := t.inner.RoundTrip(req)
		if !mayPass(res, err) || req.Context().Err() != nil {
			return res, err
		}
		wait := pause(t.backoff, try)
		asked, told := retryAfter(res)
		if told {
			wait = asked
		}
		if res != nil && res.StatusCode == http.StatusTooManyRequests && (try >= t.retries || wait > longestWait) {
			return nil, rateError(res, asked)
		}
		if try >= t.retries || wait > longestWait {
			return res, err
		}
		hasBody := req.Body != nil && req.Body != http.NoBody
		if hasBody && !told {
			return res, err
		}
		if werr := sleep(req.Context(), wait); werr != nil {
			drain(res)
			return nil, werr
		}
		if hasBody {
			return res, err
		}
		drain(res)
	}
}

func rateError(res *http.Response, after time.Duration) error {
	defer drain(res)
	e := &RateError{Host: res.Request.URL.Host, After: after}
	var answer *transport.Error
	if errors.As(transport.CheckError(res, http.StatusOK), &answer) {
		e.Words = said(answer)
	}
	return e
}

// mayPass tells whether the same request may succeed later.
func mayPass(res *http.Response, err error) bool {
	if err != nil {
		return passing(err)
	}
	switch res.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// passing tells errors of the line from those of the other end's making.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false // a deadline is no such sign: net's timeouts pass for one
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary || dns.IsTimeout
	}
	return timedOut(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ENETUNREACH)
}

// retryAfter reads RFC 9110 section 10.2.3.
func retryAfter(res *http.Response) (time.Duration, bool) {
	if res == nil {
		return 0, false
	}
	value := res.Header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0), true
	}
	return 0, false
}

// pause doubles, and differs from one client to the next, so that those who
// were cut off together don't all come back together.
func pause(first time.Duration, try int) time.Duration {
	wait := min(first<<min(try, 6), time.Minute)
	return wait - wait/4 + rand.N(wait/2+1)
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain frees a response's connection for the next request.
func drain(res *http.Response) {
	if res != nil {
		_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
		_ = res.Body.Close()
	}
}
