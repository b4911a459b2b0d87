package main

import (
	"context"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
	"unionfs/runner"
)

// containerInspect is what inspect tells of a container, under docker's names
// where docker has one.
type containerInspect struct {
	ID      string `json:"Id"`
	Name    string
	Created time.Time
	Path    string
	Args    []string
	Image   layerstore.ImageID
	Rootfs  string `json:",omitempty"` // the directory in the image's place
	Driver  string
	State   containerState
	LogPath string
	Mounts  []containerMount

	RestartCount   int // there is no daemon to restart it
	Platform       string
	ResolvConfPath string
	HostnamePath   string
	HostsPath      string

	NetworkSettings networkSettings
	HostConfig      hostConfig
	// Spec is what was asked for, in our words; Config is the image's, and what
	// was asked for in its place.
	Spec   runner.Spec
	Config v1.Config
	Layers []layerstore.DiffID
}

type containerState struct {
	Status     string
	Running    bool
	Paused     bool
	Restarting bool
	OOMKilled  bool
	Dead       bool
	Pid        int
	ExitCode   int
	Error      string
	StartedAt  time.Time
	FinishedAt time.Time
}

func inspectContainer(ctx context.Context, s *shop, c *runner.Container) (containerInspect, error) {
	volumes, err := s.volumeStore(0)
	if err != nil {
		return containerInspect{}, err
	}
	out := containerInspect{
		ID: c.ID, Name: c.Name, Created: c.Created, Image: c.Image, Rootfs: c.Base, Driver: c.Driver, LogPath: c.LogPath(),
		NetworkSettings: networkOf(&runner.Runner{Store: s.Store}, c),
		Platform:        "linux", HostConfig: hostConfigOf(c),
		ResolvConfPath: c.EtcPath("resolv.conf"), HostnamePath: c.EtcPath("hostname"), HostsPath: c.EtcPath("hosts"),
		Mounts: containerMounts(ctx, volumes, c), Spec: c.Spec, Layers: c.Layers,
		State: containerState{
			Status: statusWord(&c.State), Running: c.State.Status == runner.Running, Paused: c.State.Paused, OOMKilled: c.State.OOMKilled,
			Pid: c.State.PID, ExitCode: c.State.ExitCode, Error: c.State.Error,
			StartedAt: c.State.StartedAt, FinishedAt: c.State.FinishedAt,
		},
	}
	var img v1.Config
	if c.Image != "" {
		if cfg, err := s.Config(c.Image); err == nil { // else it was removed
			img = cfg.Config
		}
	}
	out.Path, out.Args = c.Command(img)
	out.Config = c.Shown(img)
	return out, nil
}
