package build

import (
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestChange(t *testing.T) {
	type none = struct{}
	base := v1.Config{Cmd: []string{"old"}, Env: []string{"A=1", "PATH=/bin"}, WorkingDir: "/srv",
		Labels: map[string]string{"kept": "yes"}, ExposedPorts: map[string]none{"80/tcp": {}}}
	for lines, want := range map[string]func(c *v1.Config){
		"":                                nil,
		"# a word":                        nil,
		`CMD ["a", "b c"]`:                func(c *v1.Config) { c.Cmd = []string{"a", "b c"} },
		`cmd a "b c" $A`:                  func(c *v1.Config) { c.Cmd = []string{"/bin/sh", "-c", `a "b c" $A`} },
		`CMD=[]`:                          nil,
		`CMD []`:                          func(c *v1.Config) { c.Cmd = []string{} },
		`ENTRYPOINT ["x"]`:                func(c *v1.Config) { c.Entrypoint, c.Cmd = []string{"x"}, nil },
		"CMD [\"y\"]\nENTRYPOINT [\"x\"]": func(c *v1.Config) { c.Entrypoint, c.Cmd = []string{"x"}, []string{"y"} },
		`ENV A=2 B="$A and ${C:-more}"`:   func(c *v1.Config) { c.Env = []string{"A=2", "PATH=/bin", "B=1 and more"} },
		`ENV D all of it`:                 func(c *v1.Config) { c.Env = append(c.Env[:2:2], "D=all of it") },
		`EXPOSE 53/udp 8000-8001 $A`: func(c *v1.Config) {
			c.ExposedPorts = map[string]none{"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "1/tcp": {}}
		},
		`EXPOSE nothing`:             nil,
		`LABEL a=b "c d"="e $A"`:     func(c *v1.Config) { c.Labels = map[string]string{"kept": "yes", "a": "b", "c d": "e 1"} },
		`ONBUILD RUN echo $A`:        func(c *v1.Config) { c.OnBuild = []string{"RUN echo $A"} },
		`STOPSIGNAL SIGQUIT`:         func(c *v1.Config) { c.StopSignal = "SIGQUIT" },
		`STOPSIGNAL SIGNOTHING`:      nil,
		`USER me:us`:                 func(c *v1.Config) { c.User = "me:us" },
		`VOLUME /a /b`:               func(c *v1.Config) { c.Volumes = map[string]none{"/a": {}, "/b": {}} },
		`VOLUME ["/a", "/with one"]`: func(c *v1.Config) { c.Volumes = map[string]none{"/a": {}, "/with one": {}} },
		`WORKDIR /x/../y`:            func(c *v1.Config) { c.WorkingDir = "/y" },
		`WORKDIR deep/$A`:            func(c *v1.Config) { c.WorkingDir = "/srv/deep/1" },
		`HEALTHCHECK --interval=3s --retries=2 CMD true`: func(c *v1.Config) {
			c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD-SHELL", "true"}, Interval: 3 * time.Second, Retries: 2}
		},
		`HEALTHCHECK NONE`:                         func(c *v1.Config) { c.Healthcheck = &v1.HealthConfig{Test: []string{"NONE"}} },
		`HEALTHCHECK --start-interval=3s CMD true`: nil,
		`RUN true`:    nil,
		`FROM x`:      nil,
		`COPY a b`:    nil,
		`nonsense`:    nil,
		`ENV`:         nil,
		`ENV A=${B?}`: nil,
		`LABEL =x`:    nil,
	} {
		before := *base.DeepCopy()
		got, err := Change(base, strings.Split(lines, "\n"))
		if !reflect.DeepEqual(base, before) {
			t.Fatalf("%s: the config that came in is changed: %+v", lines, base)
		}
		if want == nil {
			if err == nil || !reflect.DeepEqual(got, base) {
				t.Errorf("%s: no error (%v), or half a change: %+v", lines, err, got)
			}
			continue
		}
		wanted := *base.DeepCopy()
		want(&wanted)
		if err != nil || !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", lines, err, got, wanted)
		}
	}
}
