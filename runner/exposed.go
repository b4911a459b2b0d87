package runner

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Port is a port of a container that its image or its spec says something of:
// one that is published has a Host.
type Port struct {
	Container int
	Protocol  string
	HostIP    string // "" is all
	Host      int
}

// String is docker's form: 80/tcp, or 0.0.0.0:8080->80/tcp.
func (p Port) String() string {
	if p.Host == 0 {
		return p.Own()
	}
	return p.Published() + "->" + p.Own()
}

// Own is the container's side: 80/tcp.
func (p Port) Own() string { return fmt.Sprintf("%d/%s", p.Container, p.Protocol) }

// Published is the machine's side: 0.0.0.0:8080.
func (p Port) Published() string {
	return net.JoinHostPort(cmp.Or(p.HostIP, "0.0.0.0"), strconv.Itoa(p.Host))
}

// Ports are those that are published, and those that are exposed besides.
func (r *Runner) Ports(c *Container) ([]Port, error) {
	published, err := c.Spec.ports()
	if err != nil {
		return nil, err
	}
	var out []Port
	for _, p := range published {
		out = append(out, Port{p.container, p.protocol, p.ip, p.host})
	}
	cfg, err := r.config(c)
	if err != nil {
		return nil, err
	}
	exposed, err := c.Spec.exposed(cfg.ExposedPorts)
	if err != nil {
		return nil, err
	}
	for _, p := range exposed {
		if !slices.ContainsFunc(out, func(o Port) bool { return o.Container == p.Container && o.Protocol == p.Protocol }) {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Protocol, b.Protocol))
	})
	return out, nil
}

// exposed are the ports of the image's EXPOSE and of --expose, each once. What an
// image says that is none is no port.
func (s *Spec) exposed(declared map[string]struct{}) (out []Port, err error) {
	for _, word := range s.Expose {
		ports, err := ParseExposed(word)
		if err != nil {
			return nil, fmt.Errorf("--expose=%w", err)
		}
		out = append(out, ports...)
	}
	for word := range declared {
		if ports, err := ParseExposed(word); err == nil {
			out = append(out, ports...)
		}
	}
	slices.SortFunc(out, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Protocol, b.Protocol))
	})
	return slices.Compact(out), nil
}

// ParseExposed reads PORT[-PORT][/PROTO], as --expose and EXPOSE have it.
func ParseExposed(word string) (out []Port, err error) {
	ports, protocol, ok := strings.Cut(word, "/")
	if !ok {
		protocol = "tcp"
	}
	all, err := parseRange(ports)
	if err != nil || protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
		return nil, fmt.Errorf("%s: PORT[-PORT][/tcp|/udp] is expected, as in 8000-8010", word)
	}
	for _, p := range all {
		out = append(out, Port{Container: p, Protocol: protocol})
	}
	return out, nil
}

// publishAll publishes all exposed ports that nobody has published on ports of
// this machine that are free just now.
func (s *Spec) publishAll(declared map[string]struct{}) error {
	if !s.PublishAll {
		return nil
	}
	exposed, err := s.exposed(declared)
	if err != nil {
		return err
	}
	published, err := s.ports()
	if err != nil {
		return err
	}
	for _, e := range exposed {
		if e.Protocol == "sctp" || slices.ContainsFunc(published, func(p port) bool { return p.container == e.Container && p.protocol == e.Protocol }) {
			continue
		}
		free, err := freePort(e.Protocol)
		if err != nil {
			return fmt.Errorf("--publish-all: no port is free for %s: %w", e, err)
		}
		s.Publish = append(s.Publish, fmt.Sprintf("%d:%d/%s", free, e.Container, e.Protocol))
	}
	return nil
}

func freePort(protocol string) (int, error) {
	if protocol == "udp" {
		conn, err := net.ListenPacket("udp", ":0")
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		return conn.LocalAddr().(*net.UDPAddr).Port, nil
	}
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
