package main

import (
	"context"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/spf13/cobra"

	"unionfs/layerstore/registry"
)

// transferFlags are the flags of all commands that bring images in and out.
type transferFlags struct {
	platform string
	quiet    bool
	jobs     int
	insecure bool
	secure   bool // podman's word for the opposite
	creds    string
	authfile string
}

func (t *transferFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&t.quiet, "quiet", "q", false, "show no progress")
	cmd.Flags().IntVarP(&t.jobs, "jobs", "j", 0, "how many layers move at once (default 4)")
}

func (t *transferFlags) addPlatform(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.platform, "platform", "", "OS/ARCH[/VARIANT] to take from an image of several (default: this machine's)")
}

// addRegistry adds what says how a registry is spoken to, and as whom.
func (t *transferFlags) addRegistry(cmd *cobra.Command) {
	t.addInsecure(cmd)
	cmd.Flags().StringVar(&t.creds, "creds", "", "USER:PASSWORD, instead of what login keeps")
	cmd.Flags().StringVar(&t.authfile, "authfile", "", "a file with credentials, as login keeps them")
	cmd.MarkFlagsMutuallyExclusive("creds", "authfile")
}

func (t *transferFlags) addInsecure(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&t.insecure, "insecure", false, "speak to the registry without TLS, or with a certificate that nobody vouches for")
	cmd.Flags().BoolVar(&t.secure, "tls-verify", true, "the opposite of --insecure")
	cmd.MarkFlagsMutuallyExclusive("insecure", "tls-verify")
	insist := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		t.insecure = t.insecure || !t.secure
		if insist != nil {
			return insist(cmd, args)
		}
		return nil
	}
}

// keychain is for who doesn't want what login keeps; nil is that.
func (t *transferFlags) keychain() (authn.Keychain, error) {
	switch {
	case t.authfile != "":
		return registry.FileKeychain(t.authfile)
	case t.creds != "":
		user, password, ok := strings.Cut(t.creds, ":")
		if !ok || user == "" {
			return nil, usagef("--creds: USER:PASSWORD is expected")
		}
		return registry.UserKeychain(user, password), nil
	}
	return nil, nil
}

// options are what the config file and the flags say, with a display that the
// caller ends.
func (t *transferFlags) options(conf *configuration) (registry.Options, display, error) {
	o := registry.Options{Jobs: t.jobs, Warn: warn}
	if t.platform != "" {
		on, err := platformOf(t.platform)
		if err != nil {
			return o, nil, err
		}
		o.Platform = &on
	}
	var err error
	if o.Keychain, err = t.keychain(); err != nil {
		return o, nil, err
	}
	o.Mirrors = func(host string) []string { return conf.Registries[host].Mirrors }
	o.Insecure = func(host string) bool { return t.insecure || conf.Registries[host].Insecure }
	d := newDisplay(t.quiet)
	o.Progress = d.tell
	return o, d, nil
}

// with opens the store and does something that moves images.
func (t *transferFlags) with(f *storeFlags, cmd *cobra.Command, do func(ctx context.Context, s *shop, o registry.Options) error) error {
	s, err := f.open()
	if err != nil {
		return err
	}
	o, d, err := t.options(&s.conf)
	if err != nil {
		return err
	}
	err = do(cmd.Context(), s, o)
	d.end(err == nil)
	return err
}
