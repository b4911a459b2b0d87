package plugin

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// address is where a plugin listens.
type address struct {
	file    string // that told of it
	network string // unix or tcp
	target  string // a socket's path, or host:port
	secure  *tls.Config
}

// String is what messages say: the file alone when it is the socket itself.
func (a address) String() string {
	if a.target == a.file {
		return a.file
	}
	return fmt.Sprintf("%s (from %s)", a.target, a.file)
}

// specLimit bounds the files that name an address.
const specLimit = 64 << 10

// absentError says that no file leads to a plugin.
type absentError struct {
	name   string
	looked []string
	denied error // of a place that couldn't be looked into
}

func (e *absentError) Error() string {
	said := fmt.Sprintf("no volume plugin %q: looked for %s", e.name, strings.Join(e.looked, ", "))
	if e.denied != nil {
		said += fmt.Sprintf(" (%v)", e.denied)
	}
	return said
}

// search finds a plugin's address by its name.
func (d Directories) search(name string) (address, error) {
	absent := &absentError{name: name, looked: d.candidates(name)}
	for _, file := range absent.looked {
		info, err := os.Stat(file)
		switch {
		case errors.Is(err, fs.ErrPermission):
			absent.denied = err
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		case err != nil:
			return address{}, err
		case filepath.Ext(file) == ".sock" && info.Mode().Type() != fs.ModeSocket:
			// Docker passes over it too.
		default:
			return consider(file)
		}
	}
	return address{}, absent
}

// consider takes the address from a file that is there.
func consider(file string) (address, error) {
	if filepath.Ext(file) == ".sock" {
		return address{file: file, network: "unix", target: file}, nil
	}
	data, err := readSpec(file)
	if err != nil {
		return address{}, err
	}
	if filepath.Ext(file) == ".spec" {
		return parseAddress(file, string(data), nil)
	}
	return parseJSON(file, data)
}

// readSpec doesn't wait for a pipe's writer, and takes no endless file.
func readSpec(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no ordinary file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, specLimit+1))
	if err == nil && len(data) > specLimit {
		err = fmt.Errorf("%s is longer than %d KiB: it should name one address", file, specLimit>>10)
	}
	return data, err
}

// parseJSON reads {"Name", "Addr", "TLSConfig"}.
func parseJSON(file string, data []byte) (address, error) {
	var spec struct {
		Addr      string
		TLSConfig *certificates
	}
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &spec); err != nil {
		return address{}, fmt.Errorf("%s: %w", file, err)
	}
	return parseAddress(file, spec.Addr, spec.TLSConfig)
}

// parseAddress reads unix:///PATH, tcp://HOST:PORT, http:// and https://. Any
// path behind a host is left out, as Docker does.
func parseAddress(file, text string, certs *certificates) (address, error) {
	text = strings.TrimSpace(text)
	u, err := url.Parse(text)
	if err != nil {
		return address{}, fmt.Errorf("%s: %w", file, err)
	}
	a := address{file: file, network: "tcp", target: u.Host}
	encrypted := certs != nil
	switch u.Scheme {
	case "unix":
		if u.Host != "" || !filepath.IsAbs(u.Path) {
			return address{}, fmt.Errorf("%s: %q: a socket's path begins with a slash, as in unix:///run/docker/plugins/NAME.sock", file, shorten(text))
		}
		return address{file: file, network: "unix", target: filepath.Clean(u.Path)}, nil
	case "tcp":
	case "http":
		a.target, encrypted = withPort(u, "80"), false
	case "https":
		a.target, encrypted = withPort(u, "443"), true
	default:
		return address{}, fmt.Errorf("%s: %q is no address of a plugin: unix:///PATH, tcp://HOST:PORT or https://HOST", file, shorten(text))
	}
	if u.Hostname() == "" || (u.Scheme == "tcp" && u.Port() == "") {
		return address{}, fmt.Errorf("%s: %q names no host and port", file, shorten(text))
	}
	if encrypted {
		a.secure, err = certs.config(u.Hostname())
	}
	if err != nil {
		return address{}, fmt.Errorf("%s: %w", file, err)
	}
	return a, nil
}

func withPort(u *url.URL, port string) string {
	if u.Port() != "" {
		return u.Host
	}
	return u.Host + ":" + port
}
