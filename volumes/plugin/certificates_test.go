package plugin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority makes certificates for a test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes NAME.pem and NAME.key.
func (a *authority) issue(t *testing.T, name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.n++
	c.SerialNumber, c.Subject = big.NewInt(a.n), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, a.file(name+".pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, a.file(name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// TestTLS is a plugin that wants a certificate of its clients.
func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	a.issue(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	pair, err := tls.LoadX509KeyPair(a.file("server.pem"), a.file("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: (&Server{Driver: newFolders(t)}).Handler(), ErrorLog: quiet()}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })

	ca := fmt.Sprintf(`"CAFile":%q`, a.file("ca.pem"))
	own := fmt.Sprintf(`"CertFile":%q,"KeyFile":%q`, a.file("client.pem"), a.file("client.key"))
	for name, c := range map[string]struct{ scheme, config, wrong string }{
		"all of it":           {"https", ca + "," + own, ""},
		"as tcp":              {"tcp", ca + "," + own, ""},
		"not looking":         {"https", `"InsecureSkipVerify":true,` + own, ""},
		"unknown authority":   {"https", own, "unknown authority"},
		"no certificate":      {"https", ca, "certificate required"},
		"key missing":         {"https", ca + fmt.Sprintf(`,"CertFile":%q`, a.file("client.pem")), "with the key"},
		"no PEM":              {"https", fmt.Sprintf(`"CAFile":%q`, a.file("../"+filepath.Base(a.dir)+"/text")), "PEM"},
		"unencrypted to such": {"http", ca, "HTTP request to an HTTPS server"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, a.file("text"), "text")
			d := places(t)
			write(t, filepath.Join(d.Specs[0], "p.json"), fmt.Sprintf(`{"Name":"p","Addr":"%s://%s","TLSConfig":{%s}}`, c.scheme, l.Addr(), c.config))
			found, err := Find(t.Context(), "p", In(d), Patience(100*time.Millisecond))
			switch {
			case c.wrong == "" && err == nil:
				checkLife(t, found, nil, writable(t))
			case c.wrong == "" || err == nil || !strings.Contains(err.Error(), c.wrong):
				t.Errorf("the error is %v, wanted %q", err, c.wrong)
			}
		})
	}
}
