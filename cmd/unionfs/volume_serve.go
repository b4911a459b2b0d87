package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"unionfs/volumes"
	"unionfs/volumes/plugin"
)

// pluginName is what dockerd and podman call our volumes' driver.
const pluginName = "unionfs"

// offer is how volumes are offered to other programs.
type offer struct {
	socket, group, spec string
	binds               bool
}

// volumeServeCommand is "unionfs volume serve"; open answers what is offered.
func volumeServeCommand(open func() (volumes.Driver, error)) *cobra.Command {
	var o offer
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Offer the volumes to dockerd and podman",
		Long: `Offer the volumes of the store to dockerd, podman and whoever else speaks Docker's
volume plugin protocol, as the driver "unionfs":

    docker volume create -d unionfs -o size=10g data
    docker volume create -d unionfs -o from=debian:12 tree
    docker run -v data:/data -v tree:/tree …

podman is told of it in containers.conf: [engine.volume_plugins] unionfs = "SOCKET".

Volumes are made with the options size and from (an image of the store, or another
volume, either copy-on-write). Clients name volumes and never paths, unless
--allow-binds lets them. Who may write to the socket can read, change and remove
all volumes of the store.

It serves until it is ended by a signal. Mounts that containers use stay then, and
the next server knows of them.`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			driver, err := open()
			if err != nil {
				return err
			}
			return o.serve(cmd.Context(), driver)
		},
	}
	o.add(cmd)
	return cmd
}

func (o *offer) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.socket, "socket", "", "where to listen (default /run/docker/plugins/unionfs.sock, a user's below $XDG_RUNTIME_DIR)")
	flags.StringVar(&o.group, "group", "", "a group whose members may use the socket (default: its owner alone)")
	flags.StringVar(&o.spec, "spec", "", "also write a file that leads clients to the socket (alone: /etc/docker/plugins/unionfs.spec)")
	flags.Lookup("spec").NoOptDefVal = defaultSpec()
	flags.BoolVar(&o.binds, "allow-binds", false, "also accept the options type, device and o, which can name any path of this machine")
}

// defaultSpec is in the last of the places where a plugin's address is looked for
// that isn't the distribution's.
func defaultSpec() string {
	specs := plugin.DefaultDirectories().Specs
	return filepath.Join(specs[max(0, len(specs)-3)], pluginName+".spec")
}

// serve listens, and takes away on its end what it has put into the tree.
func (o *offer) serve(ctx context.Context, driver volumes.Driver) (err error) {
	if o.socket == "" {
		o.socket = plugin.DefaultSocket(pluginName)
	}
	if o.socket, err = absolute(o.socket); err != nil {
		return err
	}
	group, err := groupID(o.group)
	if err != nil {
		return err
	}
	socket, err := plugin.Listen(o.socket, group)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, socket.Close()) }()
	if o.spec != "" {
		remove, err := plugin.WriteSpec(o.spec, o.socket)
		if err != nil {
			return err
		}
		defer func() {
			if err := remove(); err != nil {
				say("%v", err)
			}
		}()
	}
	say("volumes are offered at %s", o.socket)
	server := &plugin.Server{Driver: driver, Allowed: o.allowed(), Log: func(line string) { say("%s", line) }}
	return server.Serve(ctx, socket)
}

func (o *offer) allowed() plugin.Allowed {
	if o.binds {
		return plugin.NoPaths().WithBinds()
	}
	return plugin.NoPaths()
}

// groupID reads a group's name or number.
func groupID(group string) (int, error) {
	if group == "" {
		return plugin.NoGroup, nil
	}
	if id, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(id), nil
	}
	found, err := user.LookupGroup(group)
	if err != nil {
		return 0, usagef("--group %s: there is no such group", group)
	}
	id, err := strconv.Atoi(found.Gid)
	if err != nil {
		return 0, fmt.Errorf("--group %s: %w", group, err)
	}
	return id, nil
}
