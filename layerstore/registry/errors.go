package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Error is what a registry, or the way to it, refused.
type Error struct {
	What string // was asked for
	Host string
	// Status is the HTTP status, 0 when nobody answered.
	Status int
	say    string
	err    error
}

func (e *Error) Error() string { return e.say }

// Unwrap answers what happened below.
func (e *Error) Unwrap() error { return e.err }

// explain turns what libraries say into what users can act upon. what is the
// image (or the blob) and host the server.
func explain(err error, what, host string) error {
	var done *Error
	if err == nil || errors.As(err, &done) || errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{What: what, Host: host, err: err}
	var answer *transport.Error
	if errors.As(err, &answer) && !untrusted(err) {
		e.Status = answer.StatusCode
		e.say = e.answered(answer)
	} else {
		e.say = e.unanswered(err)
	}
	return e
}

func (e *Error) answered(answer *transport.Error) string {
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Sprintf("%s refuses access to %s%s: if it exists, log in first with unionfs login %s", e.Host, e.What, said(answer), e.Host)
	case http.StatusNotFound:
		return fmt.Sprintf("%s has no %s%s", e.Host, e.What, said(answer))
	case http.StatusTooManyRequests:
		return (&RateError{Host: e.Host, Words: said(answer)}).Error()
	}
	return fmt.Sprintf("%s: %s answers %d %s%s", e.What, e.Host, answer.StatusCode, http.StatusText(answer.StatusCode), said(answer))
}

// said are the registry's own words (OCI distribution-spec, "Error Codes").
func said(answer *transport.Error) string {
	var words []string
	for _, d := range answer.Errors {
		words = append(words, strings.TrimSpace(strings.ToLower(strings.ReplaceAll(string(d.Code), "_", " "))+" "+d.Message))
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, "; ") + ")"
}

// unanswered looks for what is most telling: the way to a registry may have
// been tried with TLS and without, and then there are two errors in one.
func (e *Error) unanswered(err error) string {
	var rate *RateError
	var plain *plainError
	var dns *net.DNSError
	switch {
	case errors.As(err, &rate):
		return rate.Error()
	case untrusted(err), errors.As(err, &plain):
		return e.insecure(err)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("there is no host %q, which %s should come from: look at the name", dns.Name, e.What)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("%s refuses connections: is a registry running there?", e.Host)
	case timedOut(err):
		return fmt.Sprintf("%s doesn't answer in time", e.Host)
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"): // it has no type
		return e.insecure(err)
	}
	if said := root(err); strings.Contains(said, e.What) {
		return fmt.Sprintf("%s: %s", e.Host, said)
	}
	return fmt.Sprintf("%s from %s: %s", e.What, e.Host, root(err))
}

func (e *Error) insecure(err error) string {
	return fmt.Sprintf("%s can't be trusted: %s: install its certificate (/etc/docker/certs.d/%s/ca.crt), or call it insecure (--insecure) if that is meant", e.Host, root(err), e.Host)
}

func timedOut(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout() ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errStalled)
}

func untrusted(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		authority    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.As(err, &verification) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid)
}

// root takes the request off an error: its URL may hold signatures.
func root(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err.Error()
	}
	return err.Error()
}
