package runner

import (
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

func TestCapabilities(t *testing.T) {
	for name, row := range map[string]struct {
		spec      Spec
		with, out []string
		count     int
	}{
		"default":     {Spec{}, []string{"CAP_CHOWN"}, []string{"CAP_SYS_ADMIN"}, len(defaultCapabilities)},
		"drop all":    {Spec{CapDrop: []string{"all"}}, nil, []string{"CAP_CHOWN"}, 0},
		"all but one": {Spec{CapAdd: []string{"ALL"}, CapDrop: []string{"sys_admin"}}, []string{"CAP_CHOWN"}, []string{"CAP_SYS_ADMIN"}, len(allCapabilities) - 1},
		"one alone":   {Spec{CapDrop: []string{"ALL"}, CapAdd: []string{"net_raw"}}, []string{"CAP_NET_RAW"}, nil, 1},
		"one more":    {Spec{CapAdd: []string{"CAP_SYS_PTRACE"}}, []string{"CAP_SYS_PTRACE"}, nil, len(defaultCapabilities) + 1},
		"privileged":  {Spec{Privileged: true, CapDrop: []string{"CHOWN"}}, []string{"CAP_CHOWN", "CAP_SYS_ADMIN"}, nil, len(allCapabilities)},
	} {
		got, err := row.spec.capabilities()
		if err != nil || len(got) != row.count {
			t.Errorf("%s: %d capabilities (%v), want %d", name, len(got), err, row.count)
		}
		for _, c := range row.with {
			if !slices.Contains(got, c) {
				t.Errorf("%s: %s is missing", name, c)
			}
		}
		for _, c := range row.out {
			if slices.Contains(got, c) {
				t.Errorf("%s: %s is there", name, c)
			}
		}
	}
	if _, err := (&Spec{CapAdd: []string{"FLY"}}).capabilities(); err == nil {
		t.Error("a capability that isn't one was given")
	}
}

func TestCommand(t *testing.T) {
	img := v1.Config{Entrypoint: []string{"/entry"}, Cmd: []string{"a", "b"}}
	own := []string{"/own"}
	none := []string{}
	for name, row := range map[string]struct {
		spec Spec
		want []string
	}{
		"the image's":         {Spec{}, []string{"/entry", "a", "b"}},
		"own words":           {Spec{Args: []string{"x"}}, []string{"/entry", "x"}},
		"own entrypoint":      {Spec{Entrypoint: &own}, []string{"/own"}},
		"own both":            {Spec{Entrypoint: &own, Args: []string{"x"}}, []string{"/own", "x"}},
		"no entrypoint":       {Spec{Entrypoint: &none, Args: []string{"x"}}, []string{"x"}},
		"nothing is an error": {Spec{Entrypoint: &none}, nil},
	} {
		got, err := row.spec.command(&img)
		if !slices.Equal(got, row.want) || (err != nil) != (row.want == nil) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, row.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	s := Spec{TTY: true, Env: []string{"A=2", "NEW="}}
	got := s.environment(&v1.Config{Env: []string{"A=1", "B=1", "PATH=/bin"}}, identity{home: "/root"}, "box", Facts{})
	want := []string{"PATH=/bin", "HOSTNAME=box", "HOME=/root", "TERM=xterm", "A=2", "B=1", "NEW="}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAccounts(t *testing.T) {
	a := Accounts{
		Passwd: "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/var/www:/bin/sh\n",
		Group:  "root:x:0:\nwww:x:33:\nmail:x:8:www\nextra:x:50:\n",
	}
	for who, want := range map[string]identity{
		"":           {0, 0, []uint32{0}, "/root", nil},
		"www":        {33, 33, []uint32{33, 8}, "/var/www", nil},
		"33":         {33, 33, []uint32{33, 8}, "/var/www", nil},
		"www:mail":   {33, 8, []uint32{8}, "/var/www", nil},
		"1000":       {1000, 0, []uint32{0}, "/", nil},
		"1000:1000":  {1000, 1000, []uint32{1000}, "/", nil},
		"1000:extra": {1000, 50, []uint32{50}, "/", nil},
	} {
		got, err := a.resolve(who, nil)
		if err != nil || got.uid != want.uid || got.gid != want.gid || got.home != want.home || !slices.Equal(got.groups, want.groups) {
			t.Errorf("%q: got %+v, %v; want %+v", who, got, err, want)
		}
	}
	if got, err := a.resolve("www", []string{"extra", "99"}); err != nil || !slices.Contains(got.groups, 50) || !slices.Contains(got.groups, 99) {
		t.Errorf("further groups: %+v, %v", got, err)
	}
	for _, bad := range []string{"nobody-here", "www:nowhere", "-1"} {
		if got, err := a.resolve(bad, nil); err == nil {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

func TestPorts(t *testing.T) {
	for word, want := range map[string]port{
		"80":                {"", 80, 80, "tcp"},
		"8080:80":           {"", 8080, 80, "tcp"},
		"8080:80/udp":       {"", 8080, 80, "udp"},
		"127.0.0.1:8080:80": {"127.0.0.1", 8080, 80, "tcp"},
		"[::1]:8080:80":     {"::1", 8080, 80, "tcp"},
		"127.0.0.1::80":     {"127.0.0.1", 80, 80, "tcp"},
	} {
		if got, err := parsePublish(word); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %+v, %v; want %+v", word, got, err, want)
		}
	}
	if got, err := parsePublish("8000-8002:80-82"); err != nil || len(got) != 3 || got[2] != (port{"", 8002, 82, "tcp"}) {
		t.Errorf("a range: %+v, %v", got, err)
	}
	for _, bad := range []string{"", "x", "0:80", "70000:80", "80:80/sctp", "1-2:3", "nowhere:80:80", "3-1:3-1"} {
		if got, err := parsePublish(bad); err == nil {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

func TestEtc(t *testing.T) {
	s := Spec{Hostname: "box", Domainname: "example", AddHosts: []string{"db:10.0.0.5", "six:[::2]"}, DNS: []string{"9.9.9.9"}, DNSSearch: []string{"lan"}}
	e, err := s.etc("0123456789abcdef", Facts{ResolvConf: "# note\nnameserver 1.1.1.1\nsearch home\noptions ndots:2\n"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"127.0.0.1\tbox.example box\n", "10.0.0.5\tdb\n", "::2\tsix\n", "127.0.0.1\tlocalhost\n"} {
		if !strings.Contains(e.hosts, want) {
			t.Errorf("hosts lacks %q:\n%s", want, e.hosts)
		}
	}
	if want := "# note\noptions ndots:2\nsearch lan\nnameserver 9.9.9.9\n"; e.resolvConf != want {
		t.Errorf("resolv.conf is %q, want %q", e.resolvConf, want)
	}
	if e.hostname != "box\n" {
		t.Errorf("hostname is %q", e.hostname)
	}
	for _, bad := range []string{"x", "x:", ":1.1.1.1", "x:y"} {
		if _, _, err := parseAddHost(bad); err == nil {
			t.Errorf("--add-host=%s passed", bad)
		}
	}
}

func TestMergeMounts(t *testing.T) {
	m := func(targets ...string) (out []sandbox.Mount) {
		for _, target := range targets {
			out = append(out, sandbox.Mount{Target: target})
		}
		return out
	}
	above := m("/proc/x", "/dev", "/a/b/c", "/a", "/a/")
	above[4].Source = "the last counts"
	var got []string
	for _, one := range mergeMounts(m("/proc", "/dev", "/dev/pts"), above) {
		got = append(got, one.Target)
	}
	want := []string{"/proc", "/dev", "/a/", "/dev/pts", "/proc/x", "/a/b/c"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseSignal(t *testing.T) {
	for word, want := range map[string]unix.Signal{"TERM": unix.SIGTERM, "sigterm": unix.SIGTERM, "9": unix.SIGKILL, "RTMIN+3": 37, "SIGRTMIN": 34} {
		if got, err := ParseSignal(word); err != nil || got != want {
			t.Errorf("%s: got %d, %v; want %d", word, got, err, want)
		}
	}
	for _, bad := range []string{"", "0", "65", "FOO", "RTMIN+99"} {
		if got, err := ParseSignal(bad); err == nil {
			t.Errorf("%q is %d", bad, got)
		}
	}
}

func TestSpecCheck(t *testing.T) {
	for name, s := range map[string]Spec{
		"a capability":     {CapAdd: []string{"FLY"}},
		"a limit":          {Ulimits: []string{"nofile"}},
		"limits reversed":  {Ulimits: []string{"nofile=5:1"}},
		"a namespace":      {PIDMode: "theirs"},
		"a network":        {NetMode: "bridge"},
		"a device":         {Devices: []string{"fuse"}},
		"a device's mode":  {Devices: []string{"/dev/fuse:/dev/fuse:x"}},
		"a signal":         {StopSignal: "FOO"},
		"a port":           {Publish: []string{"x"}, NetMode: "private"},
		"ports of none":    {Publish: []string{"80"}, NetMode: "none"},
		"a relative place": {Binds: []Bind{{Source: "/", Target: "x"}}},
		"the root":         {Tmpfs: []Bind{{Target: "/"}}},
	} {
		if err := s.check(); err == nil {
			t.Errorf("%s passed", name)
		}
	}
	good := Spec{Ulimits: []string{"nofile=1024:2048", "core=-1"}, Devices: []string{"/dev/fuse", "/dev/null:/dev/x:r", "/dev/zero:rw"}, NetMode: "private", Publish: []string{"80"}}
	if err := good.check(); err != nil {
		t.Error(err)
	}
}
