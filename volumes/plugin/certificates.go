package plugin

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// certificates is the TLSConfig of a .json file. Docker trusts everybody when
// there is no CAFile; we trust whom the machine trusts, unless told not to look.
type certificates struct {
	InsecureSkipVerify        bool
	CAFile, CertFile, KeyFile string
}

func (c *certificates) config(host string) (*tls.Config, error) {
	made := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c == nil {
		return made, nil
	}
	made.InsecureSkipVerify = c.InsecureSkipVerify
	if c.CAFile != "" {
		pool, err := authorities(c.CAFile)
		if err != nil {
			return nil, err
		}
		made.RootCAs = pool
	}
	if c.CertFile == "" && c.KeyFile == "" {
		return made, nil
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("the certificate %s with the key %s: %w", c.CertFile, c.KeyFile, err)
	}
	made.Certificates = []tls.Certificate{pair}
	return made, nil
}

// authorities are the plugin's own, and no others: who names one means it.
func authorities(file string) (*x509.CertPool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s has no certificate in PEM form", file)
	}
	return pool, nil
}
