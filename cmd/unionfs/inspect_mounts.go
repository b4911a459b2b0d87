package main

import (
	"context"
	"strings"

	"unionfs/runner"
	"unionfs/volumes"
)

// containerMount is one of a container's mounts, under docker's names.
type containerMount struct {
	Type        string
	Name        string `json:",omitempty"`
	Source      string
	Destination string
	Driver      string `json:",omitempty"`
	Mode        string
	RW          bool
	Propagation string
}

func containerMounts(ctx context.Context, store *volumes.Store, c *runner.Container) []containerMount {
	out := []containerMount{}
	for _, m := range c.Storage() {
		row := containerMount{
			Type: string(m.Type), Source: m.Source, Destination: m.Target, Mode: mountMode(&m),
			RW: !m.ReadOnly && (m.Type != runner.ImageMount || m.Writable),
		}
		switch m.Type {
		case runner.BindMount:
			if row.Propagation = m.Propagation; row.Propagation == "" {
				row.Propagation = "rprivate"
			}
		case runner.VolumeMount:
			row.Name, row.Source, row.Driver = m.Source, "", m.Driver
			// One that isn't made yet, or whose plugin is away, is nowhere.
			if v, err := store.Get(ctx, m.Source); err == nil {
				row.Driver, row.Source = v.Driver, v.Mountpoint
			}
		}
		out = append(out, row)
	}
	return out
}

// mountMode is what behind the second colon of -v says the same.
func mountMode(m *runner.Mount) string {
	var words []string
	for _, word := range []struct {
		text string
		set  bool
	}{{"ro", m.ReadOnly}, {"U", m.Chown}, {"O", m.Overlay}, {"nocopy", m.NoCopy}, {"idmap", m.IDMap != ""}} {
		if word.set {
			words = append(words, word.text)
		}
	}
	return strings.Join(append(words, m.Attributes...), ",")
}
