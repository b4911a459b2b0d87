package main

import (
	"github.com/spf13/cobra"

	"unionfs/runner"
)

func execCommand(f *storeFlags) *cobra.Command {
	var e runner.ExecSpec
	var keys string
	var envFiles []string
	cmd := &cobra.Command{
		Use:   "exec CONTAINER COMMAND…",
		Short: "Run a further command in a running container",
		Long: `Run a command in the namespaces of a running container, with its privileges. The
exit status is the command's; 126 when it can't be executed, 127 when it isn't
there.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			sequence, err := parseKeys(keys)
			if err != nil {
				return err
			}
			e.Args = args[1:]
			if e.Env, err = readEnvironment(envFiles, e.Env); err != nil {
				return err
			}
			h, err := f.containers()
			if err != nil {
				return err
			}
			c, err := h.Runner.Find(args[0])
			if err != nil {
				return err
			}
			client, err := h.Exec(cmd.Context(), &c, e)
			if err != nil {
				return err
			}
			return converse(client, e.TTY, e.Interactive, sequence)
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // flags behind the container are the command's
	flags.BoolVarP(&e.Interactive, "interactive", "i", false, "give it this standard input")
	flags.BoolVarP(&e.TTY, "tty", "t", false, "give it a terminal")
	flags.BoolVarP(&e.Detach, "detach", "d", false, "leave it running in the background")
	flags.StringArrayVarP(&e.Env, "env", "e", nil, "KEY=VALUE, or KEY with this environment's value")
	flags.StringArrayVar(&envFiles, "env-file", nil, "a file of such lines")
	flags.StringVarP(&e.Dir, "workdir", "w", "", "its working directory")
	flags.StringVarP(&e.User, "user", "u", "", "USER|UID[:GROUP|GID]")
	flags.BoolVar(&e.Privileged, "privileged", false, "give it all privileges that the container's maker has")
	flags.StringVar(&keys, "detach-keys", "ctrl-p,ctrl-q", "the keys that detach a terminal")
	return cmd
}

func attachCommand(f *storeFlags) *cobra.Command {
	var keys string
	var noStdin bool
	cmd := &cobra.Command{
		Use:   "attach CONTAINER",
		Short: "Show what a running container prints, and give it input",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sequence, err := parseKeys(keys)
			if err != nil {
				return err
			}
			h, err := f.containers()
			if err != nil {
				return err
			}
			c, err := h.Runner.Find(args[0])
			if err != nil {
				return err
			}
			stdin := c.Spec.Interactive && !noStdin
			client, err := h.Attach(cmd.Context(), &c, stdin, false)
			if err != nil {
				return err
			}
			return converse(client, c.Spec.TTY, stdin, sequence)
		},
	}
	cmd.Flags().StringVar(&keys, "detach-keys", "ctrl-p,ctrl-q", "the keys that detach a terminal")
	cmd.Flags().BoolVar(&noStdin, "no-stdin", false, "give it no input")
	return cmd
}
