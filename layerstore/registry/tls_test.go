package registry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
)

// TestTLS: certificates are checked unless the registry is called insecure.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail here
	server.StartTLS()
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "https://")
	vouched := http.DefaultTransport.(*http.Transport).Clone()
	vouched.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	insecure := quick()
	insecure.Insecure = func(registry string) bool { return registry == host }
	trusting := quick()
	trusting.Transport = vouched
	wary := quick()
	wary.Retries = -1

	img := smallImage(t, 1)
	s := openStore(t)
	plain := startRegistry(t)
	img.put(t, plain.host+"/x:1")
	pull(t, s, plain.host+"/x:1", quick())
	_, err := Push(context.Background(), s, plain.host+"/x:1", host+"/x:1", wary)
	if err == nil || !strings.Contains(err.Error(), "--insecure") {
		t.Errorf("push: error %v", err)
	}
	push(t, s, plain.host+"/x:1", host+"/x:1", trusting)
	installed := quick()
	installed.CertDirs = []string{t.TempDir()}
	installCert(t, filepath.Join(installed.CertDirs[0], host), server.Certificate().Raw)
	for _, o := range []Options{insecure, trusting, installed} {
		other := openStore(t)
		pull(t, other, host+"/x:1", o)
		holds(t, other, host+"/x:1", img)
	}
	if _, err := Pull(context.Background(), openStore(t), host+"/x:1", wary); err == nil || !strings.Contains(err.Error(), "can't be trusted") {
		t.Errorf("pull: error %v", err)
	}
}

func installCert(t *testing.T, dir string, der []byte) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestClientCert: a registry that asks who we are is shown our certificate,
// and a certificate that can't be read is an error.
func TestClientCert(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	own := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail here
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "https://")
	o := quick()
	o.CertDirs = []string{t.TempDir()}
	dir := filepath.Join(o.CertDirs[0], host)
	installCert(t, dir, server.Certificate().Raw)
	if _, err := Pull(context.Background(), openStore(t), host+"/x:1", o); err == nil || strings.Contains(err.Error(), "has no") {
		t.Errorf("without a certificate: error %v", err)
	}
	for name, block := range map[string]*pem.Block{"us.cert": {Type: "CERTIFICATE", Bytes: der}, "us.key": {Type: "PRIVATE KEY", Bytes: rawKey}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Pull(context.Background(), openStore(t), host+"/x:1", o); err == nil || !strings.Contains(err.Error(), host+" has no "+host+"/x:1") {
		t.Errorf("with a certificate: error %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.crt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Pull(context.Background(), openStore(t), host+"/x:1", o); err == nil || !strings.Contains(err.Error(), "bad.crt holds no certificate") {
		t.Errorf("with a bad certificate: error %v", err)
	}
}

// TestNoPlainHTTP: nothing goes unencrypted to other machines, not even when a
// private address or a redirection asks for it.
func TestNoPlainHTTP(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		url      string
		insecure bool
		refused  bool
	}{
		{"http://10.0.0.1:1/v2/", false, true},
		{"http://registry.example/v2/", false, true},
		{"http://127.0.0.1:1/v2/", false, false},
		{"http://[::1]:1/v2/", false, false},
		{"http://127.0.0.1:1/v2/", true, false},
	} {
		o := quick()
		o.Retries = -1
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		base, err := o.base(req.URL.Host, c.insecure)
		if err != nil {
			t.Fatal(err)
		}
		_, err = base.RoundTrip(req)
		if got := err != nil && strings.Contains(err.Error(), "without TLS"); got != c.refused {
			t.Errorf("%s: error %v", c.url, err)
		}
	}
}
