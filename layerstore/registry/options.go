package registry

import (
	"cmp"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Options say how images come and go. The zero value is good.
type Options struct {
	// Platform picks from images of several; nil is this machine's.
	Platform *v1.Platform
	// Mirrors answers the hosts to ask before a registry ("docker.io"):
	// HOST[:PORT][/PREFIX], with http:// in front for one without TLS.
	Mirrors func(registry string) []string
	// Insecure tells whether a registry may be spoken to without TLS, or with
	// a certificate that nobody vouches for.
	Insecure func(registry string) bool
	// CertDirs hold a folder for each registry with certificates; nil are
	// those of docker and podman.
	CertDirs []string
	// Keychain knows the credentials; nil is DefaultKeychain.
	Keychain authn.Keychain
	// Jobs is how many layers move at once; 0 is 4.
	Jobs int
	// Progress is told what happens; may be nil.
	Progress Progress
	// Transport carries the requests; nil is one with the usual timeouts,
	// and proxies from the environment.
	Transport http.RoundTripper
	// Retries is how often something is tried again that brought nothing;
	// 0 is 5, and negative is never.
	Retries int
	// Backoff is the first pause before another try, doubled each time; 0 is
	// a second.
	Backoff time.Duration
	// Stall is how long a server may be silent; 0 is a minute.
	Stall time.Duration
	// Warn gets a line for what is odd and goes on; may be nil.
	Warn func(line string)
}

func (o Options) jobs() int { return cmp.Or(max(o.Jobs, 0), 4) }

func (o Options) retries() int {
	if o.Retries < 0 {
		return 0
	}
	return cmp.Or(o.Retries, 5)
}

func (o Options) backoff() time.Duration { return cmp.Or(max(o.Backoff, 0), time.Second) }

func (o Options) stall() time.Duration { return cmp.Or(max(o.Stall, 0), time.Minute) }

func (o Options) insecure(registry string) bool { return o.Insecure != nil && o.Insecure(registry) }

func (o Options) mirrors(registry string) []string {
	if o.Mirrors == nil {
		return nil
	}
	return o.Mirrors(registry)
}

func (o Options) keychain() authn.Keychain {
	if o.Keychain == nil {
		return DefaultKeychain
	}
	return o.Keychain
}

func (o Options) warn(line string) {
	if o.Warn != nil {
		o.Warn(line)
	}
}
