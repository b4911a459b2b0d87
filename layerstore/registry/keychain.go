package registry

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	dockerconfig "github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	dockertypes "github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// DefaultKeychain knows the credentials that docker keeps ($DOCKER_CONFIG, or
// ~/.docker/config.json, with its credential helpers), and then those that
// podman keeps (containers-auth.json(5)).
var DefaultKeychain authn.Keychain = fileKeychain{}

// fileKeychain reads the files each time: a login may have changed them.
type fileKeychain struct{}

// Resolve implements authn.Keychain.
func (fileKeychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	for _, file := range authFiles() {
		cf, err := readAuthFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if auth, err := lookUp(cf, target); err != nil || auth != authn.Anonymous {
			return auth, err
		}
	}
	return authn.Anonymous, nil
}

// FileKeychain knows the credentials of one file, in the form of docker's config.json.
func FileKeychain(file string) (authn.Keychain, error) {
	cf, err := readAuthFile(file)
	if err != nil {
		return nil, err
	}
	return keychain(func(target authn.Resource) (authn.Authenticator, error) { return lookUp(cf, target) }), nil
}

// UserKeychain is one user everywhere.
func UserKeychain(user, password string) authn.Keychain {
	auth := authn.FromConfig(authn.AuthConfig{Username: user, Password: password})
	return keychain(func(authn.Resource) (authn.Authenticator, error) { return auth, nil })
}

// keychain is a function that is one.
type keychain func(target authn.Resource) (authn.Authenticator, error)

// Resolve implements authn.Keychain.
func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) { return k(target) }

// authFiles are docker's file and then podman's, in podman's order.
func authFiles() []string {
	var files []string
	if file, err := dockerConfigPath(); err == nil {
		files = append(files, file)
	}
	if file := os.Getenv("REGISTRY_AUTH_FILE"); file != "" {
		return append(files, file)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		files = append(files, filepath.Join(dir, "containers/auth.json"))
	}
	if dir, err := os.UserConfigDir(); err == nil {
		files = append(files, filepath.Join(dir, "containers/auth.json"))
	}
	return files
}

func readAuthFile(file string) (*configfile.ConfigFile, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return dockerconfig.LoadFromReader(f)
}

// lookUp finds the credentials of a repository, of a namespace around it
// (podman's files have such), or of its registry, which a helper may keep.
func lookUp(cf *configfile.ConfigFile, target authn.Resource) (authn.Authenticator, error) {
	for key := target.String(); key != "."; key = path.Dir(key) {
		for _, spelling := range spellings(key) {
			if auth := authOf(cf.AuthConfigs[spelling]); auth != authn.Anonymous {
				return auth, nil
			}
		}
	}
	cfg, err := cf.GetAuthConfig(spellings(target.RegistryStr())[0])
	if err != nil {
		return nil, err
	}
	return authOf(cfg), nil
}

func authOf(cfg dockertypes.AuthConfig) authn.Authenticator {
	a := authn.AuthConfig{
		Username: cfg.Username, Password: cfg.Password, Auth: cfg.Auth,
		IdentityToken: cfg.IdentityToken, RegistryToken: cfg.RegistryToken,
	}
	if a == (authn.AuthConfig{}) {
		return authn.Anonymous
	}
	return authn.FromConfig(a)
}

// spellings are the keys under which a registry or namespace may stand: Docker
// Hub has several.
func spellings(key string) []string {
	rest, hub := strings.CutPrefix(key, name.DefaultRegistry)
	switch {
	case !hub:
		return []string{key}
	case rest == "":
		return []string{authn.DefaultAuthKey, "docker.io", key}
	}
	return []string{"docker.io" + rest, key}
}
