package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
	"unionfs/runner"
)

func bundleCommand(f *storeFlags) *cobra.Command {
	var r runFlags
	var noMount bool
	cmd := &cobra.Command{
		Use:   "bundle IMAGE DIR [COMMAND…]",
		Short: "Make an OCI bundle for runc, crun and others",
		Long: `Make a bundle of OCI's runtime-spec in DIR: a config.json that tells another
runtime what run would do with these flags, and a new snapshot of the image,
mounted at DIR/rootfs. Then runc run --bundle DIR NAME runs it. How to take the
bundle away again is printed. A network is none, or with --network host the
machine's.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.readBundle(cmd, args); err != nil {
				return err
			}
			b, err := newBundle(f, args[1])
			if err != nil {
				return err
			}
			if err := b.make(cmd.Context(), &r, noMount); err != nil {
				return err
			}
			b.tell(cmd, noMount)
			return nil
		},
	}
	r.add(cmd)
	cmd.Flags().BoolVar(&noMount, "no-mount", false, "leave DIR/rootfs empty, and print how to mount it")
	for _, name := range notInBundles {
		_ = cmd.Flags().MarkHidden(name) // they are there
	}
	return cmd
}

// notInBundles are flags of run that are about what our own monitor does.
var notInBundles = []string{
	"rootfs", "interactive", "rm", "init", "publish", "publish-all", "volumes-from", "volume-driver", "storage-opt", "stop-signal", "stop-timeout", "cidfile",
}

func (r *runFlags) readBundle(cmd *cobra.Command, args []string) error {
	for _, name := range notInBundles {
		if cmd.Flags().Changed(name) {
			return usagef("--%s says nothing to other runtimes: leave it out of a bundle", name)
		}
	}
	if r.network == "" {
		r.network = "none"
	}
	if err := r.read(cmd, append([]string{args[0]}, args[2:]...)); err != nil {
		return err
	}
	return r.spec.CheckBundle()
}

// bundle is one that is being made.
type bundle struct {
	f    *storeFlags
	h    *house
	dir  string
	snap layerstore.Snapshot

	privileged bool
}

func newBundle(f *storeFlags, dir string) (*bundle, error) {
	dir, err := absolute(dir)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		// A mount made outside shows owners that aren't in the user namespace
		// of the container.
		return nil, errors.New("a bundle of an ordinary user is made and run inside unionfs unshare, in whose user namespace its files have their owners")
	}
	s, err := f.open()
	if err != nil {
		return nil, err
	}
	r := &runner.Runner{Store: s.Store, Driver: s.conf.StorageDriver, Warn: warn}
	return &bundle{f: f, h: &house{s, r}, dir: dir}, nil
}

func (b *bundle) rootfs() string { return filepath.Join(b.dir, "rootfs") }

// make leaves nothing behind when it fails, but the folders.
func (b *bundle) make(ctx context.Context, r *runFlags, noMount bool) (err error) {
	if err := b.prepareFolder(); err != nil {
		return err
	}
	if err := b.h.ensureImage(ctx, r.spec.Image, r); err != nil {
		return err
	}
	b.privileged = r.spec.Privileged
	b.snap, err = createSnapshot(ctx, b.h.shop, r.spec.Image, layerstore.Snapshot{Name: r.name, Labels: r.spec.Labels})
	if err != nil {
		return err
	}
	if err := b.mount(); err != nil {
		return errors.Join(err, b.remove(ctx))
	}
	err = b.writeConfig(&r.spec)
	if err != nil || noMount {
		err = errors.Join(err, umountOne(b.rootfs(), false, false))
	}
	if err != nil {
		err = errors.Join(err, b.remove(ctx))
	}
	return err
}

// prepareFolder refuses one that has a bundle already.
func (b *bundle) prepareFolder() error {
	if err := os.MkdirAll(b.rootfs(), 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(b.rootfs())
	if err != nil {
		return err
	}
	_, err = os.Lstat(filepath.Join(b.dir, "config.json"))
	if len(entries) > 0 || err == nil {
		return fmt.Errorf("%s holds a bundle already: take that away, or give another directory", b.dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mountWords are the command line that mounts the bundle's root.
func (b *bundle) mountWords() []string {
	words := []string{"unionfs", "--root", b.h.shop.Root(), "--storage-driver", b.h.conf.StorageDriver}
	if b.f.config != "" {
		words = append(words, "--config", b.f.config)
	}
	words = append(words, "snapshot", "mount")
	words = append(words, b.options()...)
	return append(words, b.snap.ID, b.rootfs())
}

// options are those that run mounts a root with.
func (b *bundle) options() []string {
	if b.privileged {
		return nil
	}
	return []string{"-o", "nodev"}
}

func (b *bundle) mount() error {
	status, err := startServerAs(b.mountWords(), -1, b.rootfs())
	if err == nil && status != exitOK {
		err = exitWith{status} // the server has said why
	}
	return err
}

func (b *bundle) writeConfig(s *runner.Spec) error {
	root, err := os.Open(b.rootfs()) // another process serves it
	if err != nil {
		return err
	}
	defer root.Close()
	config, err := b.h.Runner.Bundle(&runner.Container{Snapshot: b.snap, Spec: *s}, root, runner.Look())
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.dir, "config.json"), append(text, '\n'), 0o644)
}

func (b *bundle) remove(ctx context.Context) error {
	d, err := driver.Of(b.snap, b.h.shop.Store)
	if err != nil {
		return err
	}
	return d.Remove(context.WithoutCancel(ctx), b.snap)
}

// tell says what can be done with it.
func (b *bundle) tell(cmd *cobra.Command, noMount bool) {
	out := cmd.OutOrStdout()
	store := ""
	if b.f.root != "" {
		store = " --root " + b.h.shop.Root()
	}
	if noMount {
		fmt.Fprintf(out, "mount it:  unionfs%s snapshot mount %s\n", store, strings.Join(append(b.options(), b.snap.Short(), b.rootfs()), " "))
	}
	fmt.Fprintf(out, "run it:    runc run --bundle %s NAME\n", b.dir)
	fmt.Fprintf(out, "remove it: unionfs umount %s && unionfs%s snapshot rm %s && rm -r %s\n", b.rootfs(), store, b.snap.Short(), b.dir)
}
