package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
	"unionfs/runner/sandbox"
)

func TestCheckRootfs(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("odd:name", 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"true"}
	for _, row := range []struct {
		spec  Spec
		wrong string
	}{
		{Spec{Rootfs: "dir", Args: args}, ""},
		{Spec{Rootfs: "a:b/dir:O", Args: args}, ""},
		{Spec{Rootfs: "odd:name", Entrypoint: &args}, ""},
		{Spec{Rootfs: "odd:name:O", Args: args}, ""},
		{Spec{Rootfs: "dir:ro", Args: args}, `"ro" isn't known`},
		{Spec{Rootfs: "dir:", Args: args}, `"" isn't known`},
		{Spec{Rootfs: "dir"}, "no command"},
	} {
		err := row.spec.checkRootfs()
		if row.wrong == "" && err != nil || row.wrong != "" && (err == nil || !strings.Contains(err.Error(), row.wrong)) {
			t.Errorf("%+v: %v, want %q", row.spec, err, row.wrong)
		}
	}
}

func TestInPlace(t *testing.T) {
	for _, row := range []struct {
		base, word string
		want       bool
	}{{"", "", false}, {"/r", "/r", true}, {"/r", "/r:O", false}} {
		c := Container{Snapshot: layerstore.Snapshot{Base: row.base}, Spec: Spec{Rootfs: row.word}}
		if c.inPlace() != row.want {
			t.Errorf("%q is in place: %v", row.word, !row.want)
		}
	}
}

// The plan of a directory is that of an image without a config.
func TestPlanOfRootfs(t *testing.T) {
	r := Request{
		ID: strings.Repeat("0123456789abcdef", 4), Spec: Spec{Rootfs: "/srv/root", Args: []string{"/bin/sh"}}, EtcDir: "/store/etc",
		Config: v1.Config{}, Accounts: Accounts{Passwd: "root:x:0:0::/root:\n"},
	}
	p, err := NewPlan(r, Facts{InitialUserNS: true, Seccomp: true})
	if err != nil {
		t.Fatal(err)
	}
	p.RootPath = "/srv/root"
	golden(t, filepath.Join("testdata", "plan-rootfs.txt"), sandbox.PlanText(sandbox.Plan(&p)))
}
