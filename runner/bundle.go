package runner

import (
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// CheckBundle finds what a spec asks for that a bundle on disk can't give: what
// is there only while a monitor of ours is.
func (s *Spec) CheckBundle() error {
	switch {
	case s.Init:
		return errors.New("--init: the init is a part of our own runtime: leave it out, or have an init in the image")
	case s.NetMode == "private":
		return errors.New("--network=private: nobody of ours is there to plug a bundle's network in: none or host is expected")
	case s.Rootfs != "":
		return fmt.Errorf("--rootfs=%s: a bundle is of an image: write config.json by hand for a directory", s.Rootfs)
	case s.UserMode != "" && s.UserMode != "host":
		return fmt.Errorf("--userns=%s: ids of its own aren't to be had in a bundle: leave it out", s.UserMode)
	case len(s.VolumesFrom) > 0:
		return fmt.Errorf("--volumes-from=%s: a bundle has binds and tmpfs alone", s.VolumesFrom[0])
	}
	for _, m := range s.storage() {
		switch {
		case m.Type == VolumeMount || m.Type == ImageMount:
			return fmt.Errorf("the %s at %s: a bundle has binds and tmpfs alone (volume inspect tells the path of a volume's files)", m.Type, m.Target)
		case m.Overlay, m.Chown, m.IDMap != "", m.CreateSource:
			return fmt.Errorf("%s: O, U, idmap and bind-create-src aren't to be had in a bundle: make the source as it is to be", m.title())
		}
	}
	return s.check()
}

// Bundle makes the config.json of a bundle whose root is a snapshot that is
// mounted: what a container of ours would be told, in the words of OCI. The
// snapshot's folder gets the files for its /etc.
func (r *Runner) Bundle(c *Container, root *os.File, f Facts) (*specs.Spec, error) {
	if err := c.Spec.CheckBundle(); err != nil {
		return nil, err
	}
	cfg, err := r.config(c)
	if err != nil {
		return nil, err
	}
	files, err := c.Spec.etc(c.ID, f)
	if err != nil {
		return nil, err
	}
	if err := c.writeEtc(files); err != nil {
		return nil, err
	}
	plan, err := NewPlan(Request{
		ID: c.ID, Spec: c.Spec, Config: cfg, Accounts: accountsIn(int(root.Fd())), EtcDir: c.file("etc"), Mounts: c.Spec.mounts(),
	}, f)
	if err != nil {
		return nil, err
	}
	plan.Process.Capabilities = f.had(plan.Process.Capabilities)
	plan.Cgroup.Name = "" // each runtime names it by the container's id
	return plan.OCI(f.InitialUserNS)
}
