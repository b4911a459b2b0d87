package main

import (
	"context"

	"github.com/spf13/cobra"

	"unionfs/layerstore/registry"
)

// transferFlags are the flags of all commands that bring images in and out.
type transferFlags struct {
	platform string
	quiet    bool
	jobs     int
	insecure bool
}

func (t *transferFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&t.quiet, "quiet", "q", false, "show no progress")
	cmd.Flags().IntVarP(&t.jobs, "jobs", "j", 0, "how many layers move at once (default 4)")
}

func (t *transferFlags) addPlatform(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.platform, "platform", "", "OS/ARCH[/VARIANT] to take from an image of several (default: this machine's)")
}

func (t *transferFlags) addInsecure(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&t.insecure, "insecure", false, "speak to the registry without TLS, or with a certificate that nobody vouches for")
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
