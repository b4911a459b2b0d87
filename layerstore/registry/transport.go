package registry

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// base is what carries requests to one server, before anybody logs in.
func (o Options) base(server string, insecure bool) (http.RoundTripper, error) {
	t := o.Transport
	if t == nil {
		t = http.DefaultTransport
	}
	if plain, ok := t.(*http.Transport); ok {
		plain = plain.Clone()
		plain.ResponseHeaderTimeout = o.stall()
		plain.MaxIdleConnsPerHost = o.jobs() + 1
		if plain.TLSClientConfig == nil {
			plain.TLSClientConfig = &tls.Config{}
		}
		plain.TLSClientConfig.InsecureSkipVerify = insecure
		if err := o.addCerts(plain.TLSClientConfig, server); err != nil {
			return nil, err
		}
		t = plain
	}
	if !insecure {
		t = tlsOnly{t}
	}
	return transport.NewUserAgent(&retrying{inner: t, retries: o.retries(), backoff: o.backoff()}, "unionfs"), nil
}

// tlsOnly refuses plain HTTP but to this machine.
type tlsOnly struct{ inner http.RoundTripper }

// plainError says that a server was found without TLS only.
type plainError struct{ host string }

func (e *plainError) Error() string { return fmt.Sprintf("%s would be spoken to without TLS", e.host) }

func (t tlsOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !loopback(req.URL.Hostname()) {
		return nil, &plainError{req.URL.Host}
	}
	return t.inner.RoundTrip(req)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// enter answers the transport of somebody who is logged in to a registry, as
// far as it asks for that.
func (o Options) enter(ctx context.Context, repo name.Repository, insecure bool, scopes ...string) (http.RoundTripper, error) {
	auth, err := authn.Resolve(ctx, o.keychain(), repo)
	if err != nil {
		return nil, fmt.Errorf("the credentials of %s: %w", repo.RegistryStr(), err)
	}
	base, err := o.base(repo.RegistryStr(), insecure)
	if err != nil {
		return nil, err
	}
	return transport.NewWithContext(ctx, repo.Registry, auth, base, scopes)
}
