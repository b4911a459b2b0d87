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
	Image   layerstore.ImageID
	Rootfs  string `json:",omitempty"` // the directory in the image's place
	Driver  string
	State   containerState
	LogPath string
	Mounts  []containerMount

	NetworkSettings networkSettings
	// Spec is what was asked for; Config is the image's.
	Spec   runner.Spec
	Config v1.Config
	Layers []layerstore.DiffID
}

type containerState struct {
	Status     string
	Running    bool
	OOMKilled  bool
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
		Mounts:          containerMounts(ctx, volumes, c), Spec: c.Spec, Layers: c.Layers,
		State: containerState{
			Status: string(c.State.Status), Running: c.State.Status == runner.Running, OOMKilled: c.State.OOMKilled,
			Pid: c.State.PID, ExitCode: c.State.ExitCode, Error: c.State.Error,
			StartedAt: c.State.StartedAt, FinishedAt: c.State.FinishedAt,
		},
	}
	if c.Image == "" {
		return out, nil
	}
	cfg, err := s.Config(c.Image)
	if err == nil {
		out.Config = cfg.Config
	}
	return out, nil
}
