package runner

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"unionfs/runner/sandbox"
)

// etcFiles are the container's own network files.
type etcFiles struct{ hosts, hostname, resolvConf string }

// etc makes them from the spec and the machine's. A container in a network of
// its own finds itself under its name.
func (s *Spec) etc(id string, f Facts) (etcFiles, error) {
	e := etcFiles{hostname: s.hostname(id) + "\n"}
	var b strings.Builder
	if s.NetMode == "host" {
		b.WriteString(f.Hosts)
	} else {
		b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
		b.WriteString("fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n")
		name := s.hostname(id)
		if s.Domainname != "" {
			name = name + "." + s.Domainname + " " + name
		}
		fmt.Fprintf(&b, "127.0.0.1\t%s\n", name)
	}
	for _, word := range s.AddHosts {
		name, ip, err := parseAddHost(word)
		if err != nil {
			return e, err
		}
		if ip == hostGateway {
			if ip, err = s.hostAddress(); err != nil {
				return e, fmt.Errorf("--add-host=%s: %w", word, err)
			}
		}
		fmt.Fprintf(&b, "%s\t%s\n", ip, name)
	}
	e.hosts = b.String()
	e.resolvConf = s.resolvConf(f.ResolvConf)
	return e, nil
}

// parseAddHost reads NAME:IP or NAME=IP, where the IP may be one of version 6.
func parseAddHost(word string) (name, ip string, err error) {
	name, ip, ok := strings.Cut(word, ":")
	if before, after, equals := strings.Cut(word, "="); equals && !strings.Contains(before, ":") {
		name, ip, ok = before, after, true
	}
	ip = strings.Trim(ip, "[]")
	if !ok || name == "" || net.ParseIP(ip) == nil && ip != hostGateway {
		return "", "", fmt.Errorf("--add-host=%s: NAME:IP is expected, as in db:10.0.0.5", word)
	}
	return name, ip, nil
}

// hostGateway is docker's word for the address at which a container finds the
// machine that it runs on.
const hostGateway = "host-gateway"

// hostAddress is the one from which the machine reaches others: its loopback isn't
// the container's.
func (s *Spec) hostAddress() (string, error) {
	if s.NetMode == "host" {
		return "127.0.0.1", nil
	}
	// Nothing is sent: to connect a datagram socket is to look for a route (udp(7)).
	// The address is one that nobody has (RFC 5737).
	c, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return "", fmt.Errorf("this machine has no address that a container could reach: %w", err)
	}
	defer c.Close()
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	return host, err
}

// resolvConf is the machine's with what the spec says in its place (resolv.conf(5)).
func (s *Spec) resolvConf(machine string) string {
	var b strings.Builder
	for line := range strings.Lines(machine) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		replaced := map[string]bool{
			"nameserver": len(s.DNS) > 0, "search": len(s.DNSSearch) > 0, "domain": len(s.DNSSearch) > 0,
			"options": len(s.DNSOptions) > 0,
		}
		if !replaced[word] {
			b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	if len(s.DNSSearch) > 0 && !slices.Equal(s.DNSSearch, []string{"."}) {
		fmt.Fprintf(&b, "search %s\n", strings.Join(s.DNSSearch, " "))
	}
	for _, server := range s.DNS {
		fmt.Fprintf(&b, "nameserver %s\n", server)
	}
	if len(s.DNSOptions) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(s.DNSOptions, " "))
	}
	return b.String()
}

// writeEtc puts the files into the container's folder. What the container has
// written to them stays when it is started again.
func (c *Container) writeEtc(e etcFiles) error {
	if err := os.MkdirAll(c.file("etc"), 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"hosts": e.hosts, "hostname": e.hostname, "resolv.conf": e.resolvConf, "apt.conf": aptConfig,
	} {
		if _, err := os.Lstat(c.file("etc", name)); err == nil {
			continue
		}
		if err := os.WriteFile(c.file("etc", name), []byte(text), 0o644); err != nil {
			return err
		}
		if err := os.Chmod(c.file("etc", name), 0o644); err != nil { // whatever the umask
			return err
		}
	}
	return nil
}

// openEtc has the container's own files mounted by descriptor, and belong to its
// root, where it has ids of its own: to those the store is closed.
func (m *monitor) openEtc(h *held) error {
	if len(m.ids.UIDs) == 0 {
		return nil
	}
	uid, _ := outsideID(m.ids.UIDs, 0)
	gid, _ := outsideID(m.ids.GIDs, 0)
	dir := m.c.file("etc")
	for i := range m.plan.Mounts {
		p := &m.plan.Mounts[i]
		if filepath.Dir(p.Source) != dir {
			continue
		}
		if err := os.Chown(p.Source, int(uid), int(gid)); err != nil {
			return err
		}
		file, err := sandbox.Clone(p.Source, false)
		if err != nil {
			return err
		}
		h.later(func() { file.Close() })
		p.Fd = file
	}
	return nil
}
