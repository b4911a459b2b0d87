package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"unionfs/volumes"
	"unionfs/volumes/plugin"
)

// volumeStore opens the store of volumes, which is in the store's folder. Plugins
// may take the time to start that patience says.
func (s *shop) volumeStore(patience time.Duration) (*volumes.Store, error) {
	return volumes.Open(filepath.Join(s.Root(), "volumes"), volumes.Options{
		Plugin: func(ctx context.Context, name string) (volumes.Driver, error) {
			return plugin.Find(ctx, name, plugin.Patience(patience), plugin.Warn(warn), plugin.Notice(func(err error) {
				warn(fmt.Sprintf("%v: waiting for it", err))
			}))
		},
		Plugins: otherPlugins,
		Unions:  s.volumeUnions(),
		Shared:  realRoot(),
		Warn:    warn,
	})
}

// otherPlugins are the volume plugins of this machine, but our own server: what it
// offers is in a store of ours.
func otherPlugins() []string {
	return slices.DeleteFunc(plugin.DefaultDirectories().Names(), func(name string) bool { return name == pluginName })
}

// sweptVolumes opens it for commands about containers, and ends what killed
// monitors have left.
func (s *shop) sweptVolumes() (*volumes.Store, error) {
	now, err := s.volumeStore(0)
	if err != nil {
		return nil, err
	}
	if err := now.Sweep(context.Background()); err != nil {
		warn(err.Error()) // a plugin that is away may come back
	}
	return s.volumeStore(plugin.DefaultPatience)
}
