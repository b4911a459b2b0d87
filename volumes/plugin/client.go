package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// client sends calls to one plugin.
type client struct {
	plugin   string
	address  address
	http     *http.Client
	url      string
	patience time.Duration
	notice   func(error)
}

const (
	dialLimit = 10 * time.Second
	// readAgain is how often a call that only reads is sent again when its
	// answer got lost.
	readAgain = 3
)

func newClient(name string, a address, f *finder) *client {
	dialer := &net.Dialer{Timeout: dialLimit}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, a.network, a.target)
		},
		TLSClientConfig:        a.secure,
		TLSHandshakeTimeout:    dialLimit,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		// One connection a call: then a failure to connect means that nothing
		// was sent, and a plugin that was started anew is no lost answer.
		DisableKeepAlives: true,
	}
	c := &client{plugin: name, address: a, patience: f.patience, notice: f.notice, url: "http://"}
	if a.secure != nil {
		c.url = "https://"
	}
	c.url += host(a)
	c.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// host stands in the Host header. A socket has none, and servers refuse paths.
func host(a address) string {
	if a.network == "unix" {
		return "plugin"
	}
	return a.target
}

// call sends a call until it is answered, or it is certain that it won't be.
func (c *client) call(ctx context.Context, m method, about request) (reply, error) {
	return c.callWith(ctx, m, about, newPatience(c.patience, c.notice))
}

func (c *client) callWith(ctx context.Context, m method, about request, p *patience) (reply, error) {
	body, err := json.Marshal(about)
	if err != nil {
		return reply{}, err
	}
	for again := 0; ; {
		answer, err := c.once(ctx, m, body)
		lost := asLost(err)
		switch {
		case err == nil:
			return answer, nil
		case ctx.Err() != nil:
		case lost != nil && m.reads && again < readAgain:
			again++
			if p.wait(ctx, c.name(err, m, about, p)) {
				continue
			}
		case lost == nil && mayStart(err) && refusal(err) == nil:
			if p.wait(ctx, c.name(err, m, about, p)) {
				continue
			}
		}
		return reply{}, c.name(err, m, about, p)
	}
}

// once sends a call and reads its answer.
func (c *client) once(ctx context.Context, m method, body []byte) (reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, m.patience, fmt.Errorf("nothing came for %s", m.patience))
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+m.path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Accept", mediaType)
	req.Header.Set("Content-Type", mediaType)
	code, data, err := c.exchange(req)
	switch {
	case err == nil:
	case errors.Is(err, errTooLong):
		return reply{}, &ReplyError{What: err.Error()}
	case sent.Load():
		return reply{}, &LostError{Err: cause(ctx, err)}
	default:
		return reply{}, &UnreachableError{Err: cause(ctx, err)}
	}
	answer, err := decode(code, data)
	if err != nil && refusal(err) == nil {
		err = &ReplyError{What: err.Error()}
	}
	return answer, err
}

func (c *client) exchange(req *http.Request) (int, []byte, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err := read(resp.Body)
	return resp.StatusCode, data, err
}

// cause takes the method and the made-up URL off, which say nothing, and says
// why a context ended.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
	}
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "Post ") {
		return inner
	}
	return err
}

// name adds to an error whose it is.
func (c *client) name(err error, m method, about request, p *patience) error {
	call := strings.TrimPrefix(m.path, "/")
	switch e := err.(type) {
	case *Error:
		e.Plugin, e.Call, e.Volume = c.plugin, call, about.Name
	case *ReplyError:
		e.Plugin, e.Call, e.Volume = c.plugin, call, about.Name
	case *LostError:
		e.Plugin, e.Where, e.Call, e.Volume = c.plugin, c.address.String(), call, about.Name
	case *UnreachableError:
		e.Plugin, e.Where, e.Waited = c.plugin, c.address.String(), p.waited()
	}
	return err
}

func asLost(err error) *LostError {
	var lost *LostError
	errors.As(err, &lost)
	return lost
}
