package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
)

// Create makes a container of an image that is in the store; nothing of it runs
// yet. An empty name gets one that is easy to say.
func (r *Runner) Create(ctx context.Context, name string, s Spec) (Container, error) {
	if err := s.check(); err != nil {
		return Container{}, err
	}
	if s.Rootfs != "" {
		return r.createOn(ctx, name, s)
	}
	d, _, err := driver.Pick(r.Driver, r.Store)
	if err != nil {
		return Container{}, err
	}
	if s.RootSize > 0 && d.Name() != "union" {
		return Container{}, fmt.Errorf("--storage-opt size=%d: the storage driver %s can't limit what is written: --storage-driver union can", s.RootSize, d.Name())
	}
	st, err := r.Store.Begin()
	if err != nil {
		return Container{}, err
	}
	defer st.Close()
	img, err := r.Store.Find(s.Image)
	if err != nil {
		return Container{}, err
	}
	if err := st.Hold(nil, img.Layers); err != nil {
		return Container{}, err
	}
	cfg, err := r.Store.Config(img.ID)
	if err != nil {
		return Container{}, err
	}
	if err := s.publishAll(cfg.Config.ExposedPorts); err != nil {
		return Container{}, err
	}
	declared := cfg.Config.Volumes
	if r.Volumes == nil {
		declared = nil // what nobody keeps is a part of the root
	}
	if err := r.settleStorage(&s, declared); err != nil {
		return Container{}, err
	}
	return r.publish(ctx, d, st, s, layerstore.Snapshot{Name: name, Layers: img.Layers, Image: img.ID})
}

// publish makes a container of all that was settled.
func (r *Runner) publish(ctx context.Context, d driver.Driver, st *layerstore.Stage, s Spec, n layerstore.Snapshot) (Container, error) {
	withIDs, err := r.takeIDs(&s, r.lowers(&n))
	if err != nil {
		return Container{}, err
	}
	defer withIDs()
	if _, err := s.ownIDs(Look()); err != nil {
		return Container{}, err
	}
	n.Labels = s.Labels
	if n.Data, err = dataOf(s); err != nil {
		return Container{}, err
	}
	made, err := prepare(ctx, d, st, n)
	if err != nil {
		return Container{}, err
	}
	return Container{Snapshot: made, Spec: s, State: State{Status: Created}}, nil
}

// check finds what is wrong with a spec before anything is made of it.
func (s *Spec) check() error {
	facts := Facts{Seccomp: true}
	if err := s.checkNumbers(); err != nil {
		return err
	}
	if s.NoHosts && len(s.AddHosts) > 0 {
		return fmt.Errorf("--add-host=%s: with --no-hosts there is no file for it: leave one of them out", s.AddHosts[0])
	}
	if s.Dir != "" && !path.IsAbs(s.Dir) {
		return fmt.Errorf("--workdir=%s: an absolute path is expected", s.Dir)
	}
	if s.UTSMode == "host" && (s.Hostname != "" || s.Domainname != "") {
		return fmt.Errorf("--hostname=%s: with --uts=host that would be this machine's name: leave one of them out", cmp.Or(s.Hostname, s.Domainname))
	}
	if _, err := s.capabilities(); err != nil {
		return err
	}
	if _, err := s.Limits(); err != nil {
		return err
	}
	if _, err := s.namespaces(false); err != nil {
		return err
	}
	if _, err := parseUserMode(s.UserMode); err != nil {
		return err
	}
	if _, err := s.devices(facts); err != nil {
		return err
	}
	if _, err := s.ports(); err != nil {
		return err
	}
	if _, err := s.exposed(nil); err != nil {
		return err
	}
	if s.PublishAll && s.NetMode != "private" {
		return fmt.Errorf("--publish-all: ports are published of a private network, and this one is %q", s.NetMode)
	}
	if len(s.Publish) > 0 && s.NetMode != "private" {
		return fmt.Errorf("--publish=%s: ports are published of a private network, and this one is %q", s.Publish[0], s.NetMode)
	}
	if _, err := s.stopSignal(""); err != nil {
		return err
	}
	if err := s.checkRuntime(); err != nil {
		return err
	}
	return s.checkStorage()
}

// prepare makes the snapshot, under a name of ours when none is given.
func prepare(ctx context.Context, d driver.Driver, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	if n.Name != "" {
		return d.Prepare(ctx, st, n)
	}
	var taken *layerstore.NameTakenError
	for range 20 {
		n.Name = anyName()
		made, err := d.Prepare(ctx, st, n)
		if err == nil || !errors.As(err, &taken) {
			return made, err
		}
	}
	return n, fmt.Errorf("no free name was found: give one with --name")
}

// anyName is two words and, hardly ever needed, a number.
func anyName() string {
	name := pick(adjectives) + "_" + pick(nouns)
	if rand.IntN(8) == 0 {
		name += fmt.Sprint(rand.IntN(100))
	}
	return name
}

func pick(words []string) string { return words[rand.IntN(len(words))] }

var (
	adjectives = []string{
		"amber", "brave", "bright", "calm", "clever", "crisp", "deep", "eager", "early", "fair", "fleet", "gentle",
		"glad", "golden", "green", "honest", "keen", "kind", "light", "lively", "lucid", "merry", "mild", "neat",
		"noble", "patient", "plain", "proud", "quick", "quiet", "ready", "rustic", "sharp", "silver", "simple",
		"sober", "steady", "still", "sunny", "swift", "tidy", "vivid", "warm", "wise", "young",
	}
	nouns = []string{
		"alder", "badger", "beech", "birch", "brook", "cedar", "cliff", "crane", "dune", "elm", "falcon", "fern",
		"finch", "fjord", "fox", "glacier", "grove", "harbor", "hare", "heath", "heron", "hill", "island", "lake",
		"larch", "lark", "lynx", "maple", "marsh", "meadow", "moor", "oak", "otter", "owl", "pine", "reef", "ridge",
		"river", "robin", "spruce", "stone", "thrush", "tide", "valley", "willow", "wren",
	}
)
