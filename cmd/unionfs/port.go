package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"unionfs/runner"
)

func portCommand(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "port CONTAINER [PORT[/PROTOCOL]]",
		Short: "List the published ports of a container",
		Long: `List the published ports of a container, one a line, or where one of them is
published.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			c, err := h.Runner.Find(args[0])
			if err != nil {
				return err
			}
			ports, err := h.Ports(&c)
			if err != nil {
				return err
			}
			ports = slices.DeleteFunc(ports, func(p runner.Port) bool { return p.Host == 0 })
			if len(args) == 2 {
				return tellPort(cmd, ports, args[0], args[1])
			}
			for _, p := range ports {
				fmt.Fprintf(cmd.OutOrStdout(), "%s -> %s\n", p.Own(), p.Published())
			}
			return nil
		},
	}
}

func tellPort(cmd *cobra.Command, ports []runner.Port, container, word string) error {
	if !strings.Contains(word, "/") {
		word += "/tcp"
	}
	told := false
	for _, p := range ports {
		if p.Own() == word {
			fmt.Fprintln(cmd.OutOrStdout(), p.Published())
			told = true
		}
	}
	if !told {
		return fmt.Errorf("container %s publishes no port %s: unionfs port %s lists what it publishes", container, word, container)
	}
	return nil
}
