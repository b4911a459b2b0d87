package runner

import (
	"strings"
	"testing"
)

func TestCheckNumbers(t *testing.T) {
	for _, c := range []struct {
		spec Spec
		want string // "" for none
	}{
		{Spec{}, ""},
		{Spec{Resources: Resources{Memory: 6 << 20, MemorySwap: -1, CPUs: 0.5}, DNS: []string{"9.9.9.9", "2620:fe::fe"}}, ""},
		{Spec{Resources: Resources{Memory: 1}}, "--memory=1"},
		{Spec{Resources: Resources{MemorySwap: 1 << 30}}, "needs --memory"},
		{Spec{Resources: Resources{Memory: 2 << 30, MemorySwap: 1 << 30}}, "less than --memory"},
		{Spec{Resources: Resources{CPUs: -1}}, "--cpus=-1"},
		{Spec{DNS: []string{"dns.example"}}, "--dns=dns.example"},
	} {
		err := c.spec.checkNumbers()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.spec, err, c.want)
		}
	}
}
