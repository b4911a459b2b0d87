package plugin

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"unionfs/volumes"
)

// remote is a plugin as a driver.
type remote struct {
	*client
	warn func(string)
}

var _ volumes.Driver = (*remote)(nil)

func (d *remote) Name() string { return d.plugin }

// Scope is "local" for plugins that don't know the question, as in Docker, and
// for those whose answer is a word of their own.
func (d *remote) Scope(ctx context.Context) (string, error) {
	answer, err := d.call(ctx, capabilities, request{})
	if refusal(err) != nil {
		return "local", nil
	}
	if err != nil {
		return "", err
	}
	if answer.Capabilities == nil {
		return "local", nil
	}
	switch scope := strings.ToLower(string(answer.Capabilities.Scope)); scope {
	case "local", "global":
		return scope, nil
	case "":
		return "local", nil
	default:
		d.warn(fmt.Sprintf("volume plugin %s has the scope %q, which is none; it is taken for local", d.plugin, shorten(scope)))
		return "local", nil
	}
}

// Create asks first: to some plugins a second Create is an error.
func (d *remote) Create(ctx context.Context, name string, options map[string]string) error {
	_, err := d.Get(ctx, name)
	if !volumes.IsNotFound(err) {
		return err
	}
	_, err = d.call(ctx, create, request{Name: name, Opts: options})
	if said := refusal(err); said != nil && said.says("exist") {
		// Another process was faster, or the words mean something else: then
		// there is no volume now.
		if _, absent := d.Get(ctx, name); absent == nil {
			return nil
		}
	}
	return err
}

func (d *remote) Get(ctx context.Context, name string) (volumes.Info, error) {
	if err := checkVolumeName(name); err != nil {
		return volumes.Info{}, err
	}
	info, err := d.ask(ctx, name)
	if refusal(err) == nil {
		return info, err
	}
	if err = d.judge(ctx, name, err); volumes.IsNotFound(err) {
		return volumes.Info{}, err
	}
	// It may have been made between the two calls.
	if info, again := d.ask(ctx, name); again == nil {
		return info, nil
	}
	return volumes.Info{}, err
}

func (d *remote) ask(ctx context.Context, name string) (volumes.Info, error) {
	answer, err := d.call(ctx, get, request{Name: name})
	switch said := refusal(err); {
	case said != nil && said.unknownCall():
		return d.getByPath(ctx, name)
	case err != nil:
		return volumes.Info{}, err
	case answer.Volume == nil:
		return volumes.Info{}, &volumes.NotFoundError{Name: name}
	}
	info := answer.Volume.info()
	info.Name = name
	return info, nil
}

// getByPath is for plugins from before Docker 1.10, which know no Get.
func (d *remote) getByPath(ctx context.Context, name string) (volumes.Info, error) {
	answer, err := d.call(ctx, path, request{Name: name})
	switch {
	case refusal(err) != nil:
		return volumes.Info{}, &volumes.NotFoundError{Name: name}
	case err != nil:
		return volumes.Info{}, err
	}
	return (&listed{Name: text(name), Mountpoint: answer.Mountpoint}).info(), nil
}

// List leaves out volumes whose names can't be used in any other call.
func (d *remote) List(ctx context.Context) ([]volumes.Info, error) {
	answer, err := d.call(ctx, list, request{})
	if said := refusal(err); said != nil && said.unknownCall() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var infos []volumes.Info
	for _, l := range answer.Volumes {
		if l == nil {
			continue
		}
		if err := checkVolumeName(string(l.Name)); err != nil {
			d.warn(fmt.Sprintf("volume plugin %s lists a volume that can't be used: %v", d.plugin, err))
			continue
		}
		infos = append(infos, l.info())
	}
	return infos, nil
}

func (d *remote) Mount(ctx context.Context, name, id string) (string, error) {
	if err := checkUse(name, id); err != nil {
		return "", err
	}
	answer, err := d.call(ctx, mount, request{Name: name, ID: id})
	switch said := refusal(err); {
	case said != nil && said.says("already mounted by this id"):
		// rclone's words for a use that it counts already; other plugins say
		// "already mounted" of somebody else's.
		answer, err = d.call(ctx, path, request{Name: name})
	case asLost(err) != nil:
		d.takeBack(ctx, name, id)
	}
	if err != nil {
		return "", d.judge(ctx, name, err)
	}
	at := string(answer.Mountpoint)
	if err := checkMountpoint(ctx, at); err != nil {
		d.takeBack(ctx, name, id)
		return "", &ReplyError{d.plugin, "VolumeDriver.Mount", name, err.Error()}
	}
	return filepath.Clean(at), nil
}

// takeBack ends a use that may have begun. Nobody hears of its failure: the
// caller is told why the mount failed, and may unmount again.
func (d *remote) takeBack(ctx context.Context, name, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, _ = d.callWith(ctx, unmount, request{Name: name, ID: id}, newPatience(time.Second, nil))
}

// Unmount is content when there is nothing to unmount, which some plugins call
// an error.
func (d *remote) Unmount(ctx context.Context, name, id string) error {
	if err := checkUse(name, id); err != nil {
		return err
	}
	_, err := d.call(ctx, unmount, request{Name: name, ID: id})
	if said := refusal(err); said != nil && said.says("not mounted") {
		return nil
	}
	if err = d.judge(ctx, name, err); volumes.IsNotFound(err) {
		return nil
	}
	return err
}

func (d *remote) Remove(ctx context.Context, name string) error {
	if err := checkVolumeName(name); err != nil {
		return err
	}
	_, err := d.call(ctx, remove, request{Name: name})
	return d.judge(ctx, name, err)
}

func checkUse(name, id string) error {
	if err := checkVolumeName(name); err != nil {
		return err
	}
	if id == "" {
		return fmt.Errorf("volume %q: a use without an id can't be told from others", name)
	}
	return nil
}

// judge tells a refusal because there is no such volume from all others. The
// protocol has no word for it; the list knows, and failing that the refusal's
// own words must do.
func (d *remote) judge(ctx context.Context, name string, err error) error {
	said := refusal(err)
	if said == nil {
		return err
	}
	infos, unlisted := d.List(ctx)
	if unlisted != nil {
		if said.says("not found", "no such", "no volume", "not exist", "n't exist", "not find", "n't find", "unknown volume") {
			return absent(name, said)
		}
		return err
	}
	for _, info := range infos {
		if info.Name == name {
			return err
		}
	}
	return absent(name, said)
}

// absent keeps the plugin's own words, which may know better.
func absent(name string, said *Error) error {
	return fmt.Errorf("%w (%w)", &volumes.NotFoundError{Name: name}, said)
}
