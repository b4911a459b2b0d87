package driver

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
)

// drivers are all that there are, in the order in which auto tries the first
// three.
var drivers = []struct {
	name string
	make func(s *layerstore.Store) Driver
}{
	{"union", func(s *layerstore.Store) Driver { return &unionDriver{uppers{s: s}} }},
	{"overlay", func(s *layerstore.Store) Driver { return &overlayDriver{uppers{s, overlayMarks()}} }},
	{"vfs", newVFS},
	{"btrfs", newBtrfs},
	{"zfs", newZFS},
}

// autos is how many of them auto considers.
const autos = 3

// Choice is a driver that was picked, and why.
type Choice struct {
	Name string `json:"name"`
	Why  string `json:"why"`
	// Backing is the file system that the store is on.
	Backing string `json:"backingFilesystem"`
	// Probed is what each driver found that was asked.
	Probed []Probed `json:"probed"`
}

// Probed is one driver's probe.
type Probed struct {
	Driver  string   `json:"driver"`
	OK      bool     `json:"ok"`
	Found   []string `json:"found,omitempty"`
	Missing string   `json:"missing,omitempty"`
}

// Names lists the drivers' names.
func Names() []string {
	var out []string
	for _, d := range drivers {
		out = append(out, d.name)
	}
	return out
}

func byName(name string, s *layerstore.Store) (Driver, error) {
	for _, d := range drivers {
		if d.name == name {
			return d.make(s), nil
		}
	}
	return nil, fmt.Errorf("%q is no storage driver: there are %s and auto", name, strings.Join(Names(), ", "))
}

// Of answers the driver that keeps a snapshot.
func Of(n layerstore.Snapshot, s *layerstore.Store) (Driver, error) {
	if n.Driver == directoryName {
		return Directory(s), nil
	}
	d, err := byName(n.Driver, s)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", n.ID, err)
	}
	return d, nil
}

// Pick answers the named driver, or the one that "auto" (or "") finds best. A
// named one that can't work here is an error, as is a place where none can.
func Pick(name string, s *layerstore.Store) (Driver, Choice, error) {
	c := Choice{Backing: backing(s.Root())}
	if name != "" && name != "auto" {
		d, err := byName(name, s)
		if err != nil {
			return nil, c, err
		}
		p := d.Probe()
		c.note(name, p)
		c.Name, c.Why = name, "it was asked for"
		return d, c, p.Err(name)
	}
	for _, candidate := range drivers[:autos] {
		d := candidate.make(s)
		p := d.Probe()
		c.note(candidate.name, p)
		if p.OK {
			c.Name, c.Why = candidate.name, why(c.Probed)
			return d, c, nil
		}
	}
	var all []string
	for _, p := range c.Probed {
		all = append(all, p.Driver+": "+p.Missing)
	}
	return nil, c, fmt.Errorf("no storage driver can work here: %s", strings.Join(all, "; "))
}

func (c *Choice) note(name string, p Probe) {
	c.Probed = append(c.Probed, Probed{name, p.OK, p.Found, p.Missing})
}

// why says what speaks for the last that was probed.
func why(probed []Probed) string {
	if len(probed) == 1 {
		return "it is the default, and nothing it needs is missing"
	}
	return probed[len(probed)-2].Driver + " can't work here: " + probed[len(probed)-2].Missing
}

// backing names the file system that a directory is on.
func backing(dir string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "unknown: " + err.Error()
	}
	if name, ok := magics[uint32(st.Type)]; ok {
		return name
	}
	return fmt.Sprintf("type 0x%x", uint32(st.Type))
}

// magics are the file systems that stores are likely to be on (statfs(2)).
var magics = map[uint32]string{
	unix.EXT4_SUPER_MAGIC: "ext2, ext3 or ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs",
	unix.F2FS_SUPER_MAGIC: "f2fs", unix.FUSE_SUPER_MAGIC: "fuse", unix.V9FS_MAGIC: "9p",
	0x2fc12fc1: "zfs", 0xca451a4e: "bcachefs",
}
