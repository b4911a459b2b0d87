package runner

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A private network is one of the container's own, with a way out that a helper
// makes in user space: pasta(1), or slirp4netns(1).

// helpers are those that can, the better first.
var helpers = []struct {
	name  string
	start func(m *monitor, path string, pid int) error
}{
	{"pasta", (*monitor).startPasta},
	{"slirp4netns", (*monitor).startSlirp},
}

// NetworkHelper answers the program that makes private networks, or an error
// that says how to get one.
func NetworkHelper() (string, error) {
	for _, h := range helpers {
		if path, err := exec.LookPath(h.name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("neither pasta nor slirp4netns is installed (Debian's passt, slirp4netns): install one, or use --network host or none")
}

// network plugs a new network namespace in before the program starts.
func (m *monitor) network(pid int) error {
	if m.c.Spec.NetMode != "private" {
		return nil
	}
	var failed []error
	for _, h := range helpers {
		path, err := exec.LookPath(h.name)
		if err != nil {
			continue
		}
		// One may lack a right that the other doesn't need.
		if err = h.start(m, path, pid); err == nil {
			return nil
		}
		failed = append(failed, err)
	}
	if len(failed) == 0 {
		_, err := NetworkHelper()
		return err
	}
	return errors.Join(failed...)
}

// startPasta waits until pasta has gone to the background, which it does when
// the network is there; it ends with the namespace.
func (m *monitor) startPasta(path string, pid int) error {
	args := []string{"--config-net", "--quiet", "--stderr", "--no-map-gw", "--ns-ifname", "eth0", "--runas", "0"}
	tcp, udp := []string{"-t", "none"}, []string{"-u", "none"}
	ports, err := m.c.Spec.ports()
	if err != nil {
		return err
	}
	for _, p := range ports {
		word := fmt.Sprintf("%d:%d", p.host, p.container)
		if p.ip != "" {
			word = p.ip + "/" + word
		}
		if p.protocol == "udp" {
			udp = appendPort(udp, "-u", word)
		} else {
			tcp = appendPort(tcp, "-t", word)
		}
	}
	args = append(append(args, tcp...), udp...)
	args = append(args, "-T", "none", "-U", "none", "--netns-only", "--netns", fmt.Sprintf("/proc/%d/ns/net", pid))
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pasta: %w: %s", err, firstLine(out))
	}
	return nil
}

func appendPort(words []string, flag, word string) []string {
	if len(words) == 2 && words[1] == "none" {
		return []string{flag, word}
	}
	return append(words, flag, word)
}

func firstLine(out []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// startSlirp runs slirp4netns for as long as this process lives.
func (m *monitor) startSlirp(path string, pid int) error {
	ports, err := m.c.Spec.ports()
	if err != nil {
		return err
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	socket := filepath.Join(m.ctl.dir, "slirp.sock")
	cmd := exec.Command(path, "--configure", "--mtu=65520", "--disable-host-loopback", "--ready-fd=3", "--api-socket", socket,
		strconv.Itoa(pid), "eth0")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		theirs.Close()
		return err
	}
	theirs.Close()
	go func() { _ = cmd.Wait() }() // it ends with the namespace
	if n, _ := ready.Read(make([]byte, 1)); n != 1 {
		return fmt.Errorf("slirp4netns: %s", firstLine([]byte(said.String())))
	}
	for _, p := range ports {
		if err := slirpForward(socket, p); err != nil {
			return err
		}
	}
	return nil
}

// slirpForward asks for one port (slirp4netns(1), "API").
func slirpForward(socket string, p port) error {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return fmt.Errorf("slirp4netns: %w", err)
	}
	defer conn.Close()
	type arguments struct {
		Proto     string `json:"proto"`
		HostAddr  string `json:"host_addr"`
		HostPort  int    `json:"host_port"`
		GuestPort int    `json:"guest_port"`
	}
	ip := p.ip
	if ip == "" {
		ip = "0.0.0.0"
	}
	q := map[string]any{"execute": "add_hostfwd", "arguments": arguments{p.protocol, ip, p.host, p.container}}
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return err
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		return err
	}
	text, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	if strings.Contains(string(text), `"error"`) {
		return fmt.Errorf("port %d can't be published: %s", p.host, p.refused(ip, firstLine(text)))
	}
	return nil
}

// refused says why a port isn't to be had, which slirp4netns doesn't: who tries is told.
func (p *port) refused(ip, said string) string {
	address := net.JoinHostPort(ip, strconv.Itoa(p.host))
	var socket io.Closer
	var err error
	if p.protocol == "udp" {
		socket, err = net.ListenPacket("udp", address)
	} else {
		socket, err = net.Listen("tcp", address)
	}
	switch {
	case err == nil:
		socket.Close()
		return said
	case errors.Is(err, syscall.EADDRINUSE):
		return "somebody else listens there: take another one"
	case errors.Is(err, syscall.EACCES):
		return "low ports are root's: take a higher one, or lower the sysctl net.ipv4.ip_unprivileged_port_start"
	}
	return err.Error()
}

// port is one that is published.
type port struct {
	ip              string
	host, container int
	protocol        string // tcp or udp
}

// ports reads the published ports: [[IP:]HOST:]CONTAINER[/PROTO], where HOST and
// CONTAINER may be ranges of the same length.
func (s *Spec) ports() ([]port, error) {
	var out []port
	for _, word := range s.Publish {
		ps, err := parsePublish(word)
		if err != nil {
			return nil, err
		}
		out = append(out, ps...)
	}
	return out, nil
}

func parsePublish(word string) ([]port, error) {
	bad := fmt.Errorf("--publish=%s: [[IP:]HOST:]CONTAINER[/tcp|/udp] is expected, as in 8080:80", word)
	rest, protocol, ok := strings.Cut(word, "/")
	if !ok {
		protocol = "tcp"
	}
	if protocol != "tcp" && protocol != "udp" {
		return nil, bad
	}
	ip := ""
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		if j := strings.LastIndexByte(rest[:i], ':'); j >= 0 {
			ip, rest = strings.Trim(rest[:j], "[]"), rest[j+1:]
		}
	}
	host, container, both := strings.Cut(rest, ":")
	if !both {
		container = host
	}
	if host == "" {
		host = container
	}
	hosts, err := parseRange(host)
	containers, cerr := parseRange(container)
	if err != nil || cerr != nil || len(hosts) != len(containers) || ip != "" && net.ParseIP(ip) == nil {
		return nil, bad
	}
	var out []port
	for i := range hosts {
		out = append(out, port{ip, hosts[i], containers[i], protocol})
	}
	return out, nil
}

func parseRange(word string) ([]int, error) {
	first, last, ok := strings.Cut(word, "-")
	if !ok {
		last = first
	}
	from, err := strconv.ParseUint(first, 10, 16)
	to, terr := strconv.ParseUint(last, 10, 16)
	if err != nil || terr != nil || from == 0 || to < from {
		return nil, errors.New("no port")
	}
	var out []int
	for p := from; p <= to; p++ {
		out = append(out, int(p))
	}
	return out, nil
}
