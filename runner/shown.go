package runner

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Shown is what a container does about the image's configuration: the image's with
// the spec's words in its place, as docker's inspect has it.
func (c *Container) Shown(img v1.Config) v1.Config {
	s := &c.Spec
	out := img
	out.Image, out.Hostname, out.Domainname = s.Image, s.hostname(c.ID), s.Domainname
	out.User = cmp.Or(s.User, img.User)
	out.WorkingDir = cmp.Or(s.Dir, img.WorkingDir)
	out.StopSignal = cmp.Or(s.StopSignal, img.StopSignal)
	out.Tty, out.OpenStdin = s.TTY, s.Interactive
	out.Env = nil
	if !slices.ContainsFunc(s.variables(img.Env), func(word string) bool { return strings.HasPrefix(word, "PATH=") }) {
		out.Env = []string{defaultPath}
	}
	for _, word := range s.variables(img.Env) {
		out.Env = SetEnv(out.Env, word)
	}
	if s.Entrypoint != nil {
		out.Entrypoint, out.Cmd = *s.Entrypoint, s.Args
	} else if len(s.Args) > 0 {
		out.Cmd = s.Args
	}
	out.Labels = maps.Clone(img.Labels)
	if out.Labels == nil {
		out.Labels = map[string]string{}
	}
	maps.Copy(out.Labels, c.Labels)
	return out
}

// Committed is the configuration of an image that is made of a container: what is
// shown, but for what is this container's alone.
func (c *Container) Committed(img v1.Config) (v1.Config, error) {
	out := c.Shown(img)
	out.Image, out.Hostname, out.Domainname = "", "", ""
	out.Tty, out.OpenStdin = false, false
	ports, err := c.Spec.exposed(img.ExposedPorts)
	if err != nil {
		return out, err
	}
	out.ExposedPorts = maps.Clone(img.ExposedPorts)
	for _, p := range ports {
		if out.ExposedPorts == nil {
			out.ExposedPorts = map[string]struct{}{}
		}
		out.ExposedPorts[p.String()] = struct{}{}
	}
	return out, nil
}

// Command is the program and its arguments; "" when nobody names one.
func (c *Container) Command(img v1.Config) (program string, args []string) {
	all, err := c.Spec.command(&img)
	if err != nil {
		return "", []string{}
	}
	return all[0], all[1:]
}

// EtcPath is where a file of the container's /etc that is made for it is kept.
func (c *Container) EtcPath(name string) string { return path.Join(c.file("etc"), name) }
