package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
	"unionfs/runner/sandbox"
)

// storeFlags are the flags of every command that uses the store.
type storeFlags struct {
	root, driver, config string
}

func (f *storeFlags) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.root, "root", "", "the store's folder (default /var/lib/unionfs, or $XDG_DATA_HOME/unionfs for users)")
	flags.StringVar(&f.driver, "storage-driver", "", "union, overlay, btrfs, zfs, vfs or auto")
	flags.StringVar(&f.config, "config", "", "the config file, instead of /etc/unionfs/config.toml and the user's own")
}

// shop is an open store with everything around it that commands need.
type shop struct {
	*layerstore.Store
	conf configuration
}

// exitWith is a status to exit with, about which all has been said: by a process
// in a user namespace that did the command, or by the program in a container.
type exitWith struct{ status int }

func (e exitWith) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// open reads the configuration and opens the store. An ordinary user who has
// ids beside the own one does everything in a user namespace, where files can
// have those owners: then the command is done again there, and the answer is
// exitWith.
func (f *storeFlags) open() (*shop, error) {
	conf, err := f.configuration()
	if err != nil {
		return nil, err
	}
	if err := enterUserNS(); err != nil {
		return nil, err
	}
	s, err := layerstore.Open(conf.Root)
	if err != nil {
		return nil, err
	}
	s.Warn = warn
	return &shop{s, conf}, nil
}

func (f *storeFlags) configuration() (configuration, error) {
	conf, err := loadConfiguration(f.config)
	if err != nil {
		return conf, err
	}
	if f.root != "" {
		conf.Root = f.root
	}
	if f.driver != "" {
		conf.StorageDriver = f.driver
	}
	if names := append(driver.Names(), "auto"); !slices.Contains(names, conf.StorageDriver) {
		return conf, usagef("%q is no storage driver: there are %s", conf.StorageDriver, strings.Join(names, ", "))
	}
	conf.Root, err = absolute(conf.Root)
	return conf, err
}

// enterUserNS does nothing for root, of whatever namespace, and for users who
// have one id only.
func enterUserNS() error {
	maps, ok := mapsToEnter()
	if !ok {
		return nil
	}
	status, err := sandbox.RunInUserNS(maps, nil)
	if err != nil {
		return err
	}
	return exitWith{status}
}

func wouldEnterUserNS() bool {
	_, ok := mapsToEnter()
	return ok
}

func mapsToEnter() (sandbox.IDMaps, bool) {
	if os.Geteuid() == 0 {
		return sandbox.IDMaps{}, false
	}
	maps, ok, _ := sandbox.OwnMaps()
	return maps, ok
}

// statusIn is the exit status of a command that was done elsewhere.
func statusIn(err error) (int, bool) {
	var entered exitWith
	if errors.As(err, &entered) {
		return entered.status, true
	}
	return 0, false
}

// driver picks the storage driver that new snapshots get.
func (s *shop) driver() (driver.Driver, error) {
	d, _, err := driver.Pick(s.conf.StorageDriver, s.Store)
	return d, err
}
