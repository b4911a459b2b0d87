package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/fs/transport"
	"unionfs/layerstore"
	"unionfs/layerstore/driver"
	"unionfs/layerstore/layertar"
)

// infoReport is what info tells.
type infoReport struct {
	Version      string `json:"version"`
	Kernel       string `json:"kernel"`
	Architecture string `json:"architecture"`
	User         string `json:"user"`
	// Requests says how FUSE requests travel here.
	Requests      string        `json:"requests"`
	Store         infoStore     `json:"store"`
	StorageDriver driver.Choice `json:"storageDriver"`
	// DriverError says why no driver, or not the one asked for, can work.
	DriverError string        `json:"driverError,omitempty"`
	Config      configuration `json:"config"`
	ConfigFiles []string      `json:"configFiles"`
}

type infoStore struct {
	Root      string `json:"root"`
	Owners    string `json:"owners"`
	Images    int    `json:"images"`
	Layers    int    `json:"layers"`
	Snapshots int    `json:"snapshots"`
}

func infoCommand(f *storeFlags) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Show the store, its driver and why that, and the configuration in effect",
		Args:  noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			r, err := infoOf(s)
			if err != nil {
				return err
			}
			switch {
			case o.json || o.format == "json":
				return printJSON(cmd.OutOrStdout(), r)
			case o.format != "":
				return printTemplate(cmd.OutOrStdout(), o.format, []infoReport{r})
			}
			printInfo(cmd.OutOrStdout(), r)
			return nil
		},
	}
	o.add(cmd)
	return cmd
}

func infoOf(s *shop) (infoReport, error) {
	var name unix.Utsname
	_ = unix.Uname(&name) // cannot fail with a good address
	r := infoReport{
		Version: ownVersion(), Architecture: runtime.GOARCH, User: userWord(),
		Requests: requestsWord(),
		Kernel:   unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Release[:]),
		Config:   s.conf, ConfigFiles: append([]string{}, s.conf.files...),
	}
	err := r.Store.count(s.Store)
	var derr error
	_, r.StorageDriver, derr = driver.Pick(s.conf.StorageDriver, s.Store)
	if derr != nil {
		r.DriverError = derr.Error()
	}
	return r, err
}

func (i *infoStore) count(s *layerstore.Store) error {
	i.Root, i.Owners = s.Root(), "real"
	if s.IDs() == layertar.SingleID {
		i.Owners = "in attributes (user.containers.override_stat): this user has one id"
	}
	images, err := s.Images()
	if err != nil {
		return err
	}
	layers, err := s.Layers()
	if err != nil {
		return err
	}
	snapshots, err := s.SoundSnapshots()
	i.Images, i.Layers, i.Snapshots = len(images), len(layers), len(snapshots)
	return err
}

// userWord says as who this process acts.
func userWord() string {
	switch uid := unix.Geteuid(); {
	case realRoot():
		return "root"
	case uid == 0:
		return "root of a user namespace"
	default:
		return fmt.Sprintf("uid %d", uid)
	}
}

// requestsWord tells how requests of FUSE mounts travel, and what could be done about
// that.
func requestsWord() string {
	offered, known := transport.UringOffered()
	switch {
	case !known:
		return "over /dev/fuse: this kernel has no FUSE over io_uring (Linux 6.14)"
	case !offered:
		return "over /dev/fuse: root can switch io_uring on, which is faster (echo Y >" + transport.UringSwitch + ")"
	}
	return "over io_uring, where that may be used"
}

func printInfo(w io.Writer, r infoReport) {
	row := func(name, value string) { fmt.Fprintf(w, "%-20s %s\n", name+":", value) }
	row("Version", r.Version)
	row("Kernel", r.Kernel+" "+r.Architecture)
	row("User", r.User)
	row("Requests", r.Requests)
	row("Store", r.Store.Root)
	row("  Owners", r.Store.Owners)
	row("  Images", fmt.Sprintf("%d, of %d layers", r.Store.Images, r.Store.Layers))
	row("  Snapshots", fmt.Sprint(r.Store.Snapshots))
	row("  Filesystem", r.StorageDriver.Backing)
	if r.DriverError != "" {
		row("Storage driver", "none: "+r.DriverError)
	} else {
		row("Storage driver", r.StorageDriver.Name+", because "+r.StorageDriver.Why)
	}
	for _, p := range r.StorageDriver.Probed {
		state := "works here"
		if !p.OK {
			state = p.Missing
		}
		row("  "+p.Driver, state)
		for _, found := range p.Found {
			row("", "  "+found)
		}
	}
	files := strings.Join(r.ConfigFiles, ", ")
	if files == "" {
		files = "none; these are the defaults"
	}
	row("Config files", files)
	row("  root", r.Config.Root)
	row("  storage_driver", r.Config.StorageDriver)
	for host, c := range r.Config.Registries {
		row("  "+host, fmt.Sprintf("mirrors %v, insecure %v", c.Mirrors, c.Insecure))
	}
}
