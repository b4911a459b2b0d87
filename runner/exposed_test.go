package runner

import (
	"slices"
	"strings"
	"testing"
)

func TestExposed(t *testing.T) {
	s := Spec{Expose: []string{"90-91/udp", "80"}}
	got, err := s.exposed(map[string]struct{}{"80/tcp": {}, "443": {}, "none": {}, "1/icmp": {}})
	want := []Port{{80, "tcp", "", 0}, {90, "udp", "", 0}, {91, "udp", "", 0}, {443, "tcp", "", 0}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"x", "0", "80/icmp", "5-3", ""} {
		if got, err := (&Spec{Expose: []string{bad}}).exposed(nil); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

func TestPortsOfContainer(t *testing.T) {
	c := Container{Spec: Spec{Expose: []string{"80", "90/udp"}, Publish: []string{"8080:80", "[::1]:81:80"}}}
	ports, err := (&Runner{}).Ports(&c)
	var got []string
	for _, p := range ports {
		got = append(got, p.String())
	}
	if want := "0.0.0.0:8080->80/tcp [::1]:81->80/tcp 90/udp"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestPublishAll(t *testing.T) {
	s := Spec{PublishAll: true, Publish: []string{"8080:80"}, Expose: []string{"53/udp", "80", "9/sctp"}}
	if err := s.publishAll(map[string]struct{}{"443/tcp": {}}); err != nil {
		t.Fatal(err)
	}
	ports, err := s.ports()
	if err != nil || len(ports) != 3 || ports[0].host != 8080 {
		t.Fatalf("published are %q (%v), want 80, 53/udp and 443", s.Publish, err)
	}
	for _, p := range ports[1:] {
		if p.host < 1024 || p.container != 53 && p.container != 443 {
			t.Errorf("%+v is published", p)
		}
	}
}
