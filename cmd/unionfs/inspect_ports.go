package main

import (
	"cmp"
	"strconv"

	"unionfs/runner"
)

// portBinding is where a port of a container is published, by docker's names.
type portBinding struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// networkSettings are docker's, as far as there are any.
type networkSettings struct {
	// Ports are those that the image or the container exposes; nil for one that
	// is published nowhere.
	Ports map[string][]portBinding
}

func networkOf(r *runner.Runner, c *runner.Container) networkSettings {
	out := networkSettings{Ports: map[string][]portBinding{}}
	ports, err := r.Ports(c)
	if err != nil {
		return out // its image is gone
	}
	for _, p := range ports {
		own := p.Own()
		if p.Host == 0 {
			out.Ports[own] = nil
			continue
		}
		out.Ports[own] = append(out.Ports[own], portBinding{cmp.Or(p.HostIP, "0.0.0.0"), strconv.Itoa(p.Host)})
	}
	return out
}
