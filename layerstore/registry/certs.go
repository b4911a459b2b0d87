package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// certDirs are where docker and podman look for the certificates of registries
// (dockerd "certs.d"; containers-certs.d(5)).
func (o Options) certDirs() []string {
	if o.CertDirs != nil {
		return o.CertDirs
	}
	dirs := []string{"/etc/containers/certs.d", "/etc/docker/certs.d"}
	if dir, err := os.UserConfigDir(); err == nil {
		dirs = append([]string{filepath.Join(dir, "containers/certs.d"), filepath.Join(dir, "docker/certs.d")}, dirs...)
	}
	return dirs
}

// addCerts adds to a TLS configuration what is installed for a registry: *.crt
// are authorities to trust, *.cert with *.key are ours to show.
func (o Options) addCerts(to *tls.Config, server string) error {
	for _, dir := range o.certDirs() {
		dir = filepath.Join(dir, shown(server))
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // others' folders are none of ours
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := addCert(to, filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func addCert(to *tls.Config, path string) error {
	switch filepath.Ext(path) {
	case ".crt":
		pem, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if to.RootCAs == nil {
			if to.RootCAs, err = x509.SystemCertPool(); err != nil {
				return err
			}
		}
		if !to.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s holds no certificate in PEM form", path)
		}
	case ".cert":
		own, err := tls.LoadX509KeyPair(path, strings.TrimSuffix(path, ".cert")+".key")
		if err != nil {
			return fmt.Errorf("the certificate %s: %w", path, err)
		}
		to.Certificates = append(to.Certificates, own)
	}
	return nil
}
