package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Login checks a user's password against a registry and keeps both where
// docker keeps them: with the credential helper that its config.json names,
// else in that file.
func Login(ctx context.Context, server, user, password string, o Options) error {
	if user == "" || password == "" || strings.Contains(user, ":") {
		return errors.New("a login needs a user name without colon and a password")
	}
	reg, err := o.server(server)
	if err != nil {
		return err
	}
	if err := o.checkLogin(ctx, reg, &authn.Basic{Username: user, Password: password}); err != nil {
		return err
	}
	return changeDockerConfig(func(c *dockerConfig) error {
		return c.login(configKey(reg), user, password)
	})
}

// Logout forgets what Login kept; false when there was nothing.
func Logout(server string, o Options) (bool, error) {
	reg, err := o.server(server)
	if err != nil {
		return false, err
	}
	was := false
	err = changeDockerConfig(func(c *dockerConfig) (err error) {
		was, err = c.logout(configKey(reg))
		return err
	})
	return was, err
}

// server reads a registry as users type it; "" is Docker Hub.
func (o Options) server(word string) (name.Registry, error) {
	address := strings.TrimPrefix(strings.TrimPrefix(word, "https://"), "http://")
	address = strings.TrimSuffix(strings.TrimSuffix(address, "/"), "/v1")
	if address == "" {
		address = "docker.io"
	}
	return o.registry(address, o.insecure(address))
}

// configKey is a registry in docker's config.
func configKey(reg name.Registry) string {
	if reg.RegistryStr() == name.DefaultRegistry {
		return authn.DefaultAuthKey
	}
	return reg.RegistryStr()
}

func (o Options) checkLogin(ctx context.Context, reg name.Registry, auth authn.Authenticator) error {
	host := shown(reg.RegistryStr())
	base, err := o.base(reg.RegistryStr(), o.insecure(host))
	if err != nil {
		return err
	}
	t, err := transport.NewWithContext(ctx, reg, auth, base, nil)
	if err == nil {
		url := fmt.Sprintf("%s://%s/v2/", reg.Scheme(), reg.RegistryStr())
		var res *http.Response
		if res, err = request(ctx, &http.Client{Transport: t}, url, nil, http.StatusOK); err == nil {
			drain(res)
			return nil
		}
	}
	if refused(err) {
		return fmt.Errorf("%s refuses this user name or password", host)
	}
	return explain(err, "a login", host)
}
