package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"unionfs/layerstore/registry"
)

// defaultRegistry is docker's.
const defaultRegistry = "docker.io"

func loginCommand(f *storeFlags) *cobra.Command {
	var t transferFlags
	var user, password string
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "login [REGISTRY]",
		Short: "Keep a name and a password for a registry",
		Long: `Ask a registry (default docker.io) whether it knows a user by a password, and keep
both where docker does: in its config.json ($DOCKER_CONFIG, or ~/.docker), or with
the credential helper that is named there.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			conf, err := f.configuration()
			if err != nil {
				return err
			}
			t.quiet = true
			o, _, err := t.options(&conf)
			if err != nil {
				return err
			}
			if fromStdin && password != "" {
				return usagef("--password and --password-stdin: say one")
			}
			user, password, err = credentials(cmd, user, password, fromStdin)
			if err != nil {
				return err
			}
			host := registryWord(args)
			if err := registry.Login(cmd.Context(), host, user, password, o); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "Login Succeeded")
			return nil
		},
	}
	cmd.Flags().StringVarP(&user, "username", "u", "", "the user's name")
	cmd.Flags().StringVarP(&password, "password", "p", "", "the password (better: --password-stdin)")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	t.addInsecure(cmd)
	return cmd
}

func logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout [REGISTRY]",
		Short: "Forget the name and password for a registry",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host := registryWord(args)
			was, err := registry.Logout(host, registry.Options{Warn: warn})
			if err != nil {
				return err
			}
			if was {
				fmt.Fprintln(cmd.OutOrStdout(), "Removed login credentials for", host)
			} else {
				fmt.Fprintln(cmd.OutOrStdout(), "Not logged in to", host)
			}
			return nil
		},
	}
}

func registryWord(args []string) string {
	if len(args) == 0 {
		return defaultRegistry
	}
	return args[0]
}

// credentials asks for what the flags don't say.
func credentials(cmd *cobra.Command, user, password string, fromStdin bool) (string, string, error) {
	in := bufio.NewReader(cmd.InOrStdin())
	terminal := isTerminal(os.Stdin)
	if user == "" {
		if fromStdin || !terminal {
			return "", "", usagef("no user: say --username")
		}
		fmt.Fprint(stderr, "Username: ")
		line, err := in.ReadString('\n')
		if err != nil && line == "" {
			return "", "", err
		}
		user = strings.TrimSpace(line)
	}
	switch {
	case password != "":
		return user, password, nil
	case fromStdin:
		text, err := io.ReadAll(in)
		return user, strings.TrimRight(string(text), "\r\n"), err
	case !terminal:
		return "", "", usagef("no password: say --password-stdin")
	}
	fmt.Fprint(stderr, "Password: ")
	secret, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(stderr)
	return user, string(secret), err
}
