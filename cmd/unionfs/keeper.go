package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"unionfs/runner"
	"unionfs/runner/sandbox"
)

// keeperCommand is the hidden command that stands between a container's monitor
// and another runtime.
func keeperCommand() *cobra.Command {
	return &cobra.Command{
		Use:    runner.KeeperWord,
		Hidden: true,
		Args:   noWords,
		RunE:   func(*cobra.Command, []string) error { return runner.Keep() },
	}
}

// showConfig prints what another runtime would be told.
func showConfig(cmd *cobra.Command, plan *sandbox.Spec) error {
	config, err := plan.OCI(runner.Look().InitialUserNS)
	if err != nil {
		return err
	}
	out := json.NewEncoder(cmd.OutOrStdout())
	out.SetIndent("", "\t")
	return out.Encode(config)
}
