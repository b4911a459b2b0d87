package registry

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
)

// dockerConfig is docker's config.json. It is many programs' file: what isn't
// known here stays as it is.
type dockerConfig struct {
	all         map[string]json.RawMessage
	auths       map[string]json.RawMessage
	credsStore  string
	credHelpers map[string]string
}

// dockerConfigPath is where docker's config.json is, or would be.
func dockerConfigPath() (string, error) {
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, ".docker")
	}
	path := filepath.Join(dir, "config.json")
	if to, err := filepath.EvalSymlinks(path); err == nil {
		return to, nil // people link it to where they keep such files
	}
	return path, nil
}

// changeDockerConfig rewrites config.json by one rename.
func changeDockerConfig(change func(*dockerConfig) error) error {
	path, err := dockerConfigPath()
	if err != nil {
		return err
	}
	c, err := readDockerConfig(path)
	if err != nil {
		return err
	}
	if err := change(c); err != nil {
		return err
	}
	return c.write(path)
}

func readDockerConfig(path string) (*dockerConfig, error) {
	c := &dockerConfig{all: map[string]json.RawMessage{}, auths: map[string]json.RawMessage{}}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil && len(raw) > 0 {
		err = json.Unmarshal(raw, &c.all)
	}
	for key, to := range map[string]any{"auths": &c.auths, "credsStore": &c.credsStore, "credHelpers": &c.credHelpers} {
		if part, ok := c.all[key]; ok && err == nil {
			err = json.Unmarshal(part, to)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("docker's config %s: %w", path, err)
	}
	if c.auths == nil { // "auths": null
		c.auths = map[string]json.RawMessage{}
	}
	return c, nil
}

func (c *dockerConfig) write(path string) error {
	auths, err := json.Marshal(c.auths)
	if err != nil {
		return err
	}
	if c.all == nil {
		c.all = map[string]json.RawMessage{}
	}
	c.all["auths"] = auths
	raw, err := json.MarshalIndent(c.all, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*.json") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(append(raw, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// login keeps a password. A helper's registries have an empty entry, as with
// docker.
func (c *dockerConfig) login(key, user, password string) error {
	if helper := c.helper(key); helper != "" {
		c.auths[key] = json.RawMessage(`{}`)
		program, err := helperProgram(helper)
		if err == nil {
			err = client.Store(program, &credentials.Credentials{ServerURL: key, Username: user, Secret: password})
		}
		return err
	}
	entry, err := json.Marshal(map[string]string{
		"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password)),
	})
	c.auths[key] = entry
	return err
}

func (c *dockerConfig) logout(key string) (bool, error) {
	_, was := c.auths[key]
	delete(c.auths, key)
	helper := c.helper(key)
	if helper == "" {
		return was, nil
	}
	program, err := helperProgram(helper)
	if err != nil {
		return was, err
	}
	if _, err := client.Get(program, key); err != nil {
		if credentials.IsErrCredentialsNotFound(err) {
			return was, nil
		}
		return was, err
	}
	return true, client.Erase(program, key)
}

// helper is the program that keeps a registry's credentials, "" when there is
// none.
func (c *dockerConfig) helper(key string) string {
	suffix := c.credsStore
	if special, ok := c.credHelpers[key]; ok {
		suffix = special
	}
	if suffix == "" {
		return ""
	}
	return "docker-credential-" + suffix
}

// helperProgram is a helper that is installed.
func helperProgram(helper string) (client.ProgramFunc, error) {
	if _, err := exec.LookPath(helper); err != nil {
		return nil, fmt.Errorf("docker's config names the credential helper %s, which isn't installed", helper)
	}
	return client.NewShellProgramFunc(helper), nil
}
