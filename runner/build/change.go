package build

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"unionfs/runner"
)

// Change answers config with the instructions of lines carried out on it, as docker
// commit and docker import do for --change: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK,
// LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR. config itself stays as it is.
func Change(config v1.Config, lines []string) (v1.Config, error) {
	if len(lines) == 0 {
		return config, nil
	}
	parsed, err := parser.Parse(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return config, fmt.Errorf("--change: %w", err)
	}
	c := changer{config: *config.DeepCopy(), lex: shell.NewLex(parsed.EscapeToken)}
	for _, node := range parsed.AST.Children {
		instruction, err := instructions.ParseInstruction(node)
		if err == nil {
			err = c.change(instruction)
		}
		if err != nil {
			return config, fmt.Errorf("--change=%q: %w", node.Original, err)
		}
	}
	return c.config, nil
}

// changer carries out changes one after the other.
type changer struct {
	config v1.Config
	lex    *shell.Lex
	cmdSet bool
}

func (c *changer) change(instruction any) error {
	if e, ok := instruction.(instructions.SupportsSingleWordExpansion); ok {
		if err := e.Expand(c.expand); err != nil {
			return err
		}
	}
	switch i := instruction.(type) {
	case *instructions.CmdCommand:
		c.config.Cmd, c.cmdSet = c.words(i.ShellDependantCmdLine), true
	case *instructions.EntrypointCommand:
		c.config.Entrypoint = c.words(i.ShellDependantCmdLine)
		if !c.cmdSet { // it was the words of another program
			c.config.Cmd = nil
		}
	case *instructions.EnvCommand:
		for _, pair := range i.Env {
			c.config.Env = runner.SetEnv(c.config.Env, pair.Key+"="+pair.Value)
		}
	case *instructions.ExposeCommand:
		return c.expose(i.Ports)
	case *instructions.HealthCheckCommand:
		return c.health(i)
	case *instructions.LabelCommand:
		for _, pair := range i.Labels {
			add(&c.config.Labels, pair.Key, pair.Value)
		}
	case *instructions.OnbuildCommand:
		c.config.OnBuild = append(c.config.OnBuild, i.Expression)
	case *instructions.StopSignalCommand:
		if _, err := runner.ParseSignal(i.Signal); err != nil {
			return err
		}
		c.config.StopSignal = i.Signal
	case *instructions.UserCommand:
		c.config.User = i.User
	case *instructions.VolumeCommand:
		for _, volume := range i.Volumes {
			if volume == "" {
				return errors.New("a volume is a path, and this one is empty")
			}
			add(&c.config.Volumes, volume, struct{}{})
		}
	case *instructions.WorkdirCommand:
		c.workdir(i.Path)
	default:
		return errors.New("it alters no config: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR do")
	}
	return nil
}

// expand puts values in the place of $NAME; those of the config are known.
func (c *changer) expand(word string) (string, error) {
	out, _, err := c.lex.ProcessWord(word, shell.EnvsFromSlice(c.config.Env))
	return out, err
}

// words are a command's: without brackets a shell reads them.
func (c *changer) words(line instructions.ShellDependantCmdLine) []string {
	if !line.PrependShell {
		return line.CmdLine
	}
	sh := c.config.Shell
	if len(sh) == 0 {
		sh = []string{"/bin/sh", "-c"}
	}
	return append(slices.Clone(sh), strings.Join(line.CmdLine, " "))
}

func (c *changer) expose(words []string) error {
	for _, word := range words {
		word, err := c.expand(word)
		if err != nil {
			return err
		}
		ports, err := runner.ParseExposed(word)
		if err != nil {
			return err
		}
		for _, p := range ports {
			add(&c.config.ExposedPorts, p.String(), struct{}{})
		}
	}
	return nil
}

func (c *changer) health(i *instructions.HealthCheckCommand) error {
	h := i.Health
	if h.StartInterval != 0 {
		return errors.New("--start-interval can't be kept in an image here: leave it out")
	}
	c.config.Healthcheck = &v1.HealthConfig{
		Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries,
	}
	return nil
}

func (c *changer) workdir(dir string) {
	if !path.IsAbs(dir) {
		dir = path.Join("/", c.config.WorkingDir, dir)
	}
	c.config.WorkingDir = path.Clean(dir)
}

func add[V any](to *map[string]V, key string, value V) {
	if *to == nil {
		*to = map[string]V{}
	}
	(*to)[key] = value
}
