package runner

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/runner/sandbox"
)

// The plans in the words of OCI stand in testdata too. The filter is in one of
// them alone: it is long, and the same.
func TestBundles(t *testing.T) {
	for name, row := range plans {
		t.Run(name, func(t *testing.T) {
			spec := row.spec
			spec.Init = false
			plan := planOf(t, spec, row.facts)
			if name != "root" {
				plan.Process.Seccomp = nil
			}
			config, err := plan.OCIFor(sandbox.OCIMachine{Arch: "amd64", Kernel: [2]int{6, 1}, InitialUserNS: row.facts.InitialUserNS})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.MarshalIndent(config, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "oci-"+strings.ReplaceAll(name, " ", "-")+".json"), string(text)+"\n")
		})
	}
}

func planOf(t *testing.T, s Spec, f Facts) sandbox.Spec {
	t.Helper()
	// A node's number is looked up before.
	s.Devices = nil
	r := Request{
		ID: strings.Repeat("0123456789abcdef", 4), Spec: s, EtcDir: "/store/etc", Mounts: s.mounts(),
		Config:   v1.Config{Entrypoint: []string{"/bin/serve"}, Cmd: []string{"all"}, WorkingDir: "/var", Env: []string{"A=1"}},
		Accounts: Accounts{Passwd: "root:x:0:0::/root:\nwww:x:33:33::/var/www:\n", Group: "www:x:33:\n"},
	}
	plan, err := NewPlan(r, f)
	if err != nil {
		t.Fatal(err)
	}
	plan.Devices = slices.DeleteFunc(plan.Devices, func(d sandbox.Device) bool { return d.Type == "" })
	plan.Devices = append(plan.Devices, sandbox.Device{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229, Mode: 0o666, Access: "rw"})
	return plan
}

// What a bundle can't say is an error that names it, and no bundle without it.
func TestNotInBundles(t *testing.T) {
	for word, s := range map[string]Spec{
		"--init":                {Init: true},
		"--network=private":     {NetMode: "private"},
		"--rootfs=/srv":         {Rootfs: "/srv"},
		"--userns=auto":         {UserMode: "auto"},
		"--volumes-from=db":     {VolumesFrom: []string{"db"}},
		"volume at /data":       {Mounts: []Mount{{Type: VolumeMount, Source: "data", Target: "/data"}}},
		"image at /tools":       {Mounts: []Mount{{Type: ImageMount, Source: "tools", Target: "/tools"}}},
		"bind /srv at /www":     {Mounts: []Mount{{Type: BindMount, Source: "/srv", Target: "/www", Overlay: true}}},
		"bind /srv at /mine":    {Mounts: []Mount{{Type: BindMount, Source: "/srv", Target: "/mine", Chown: true}}},
		"--cap-add=FLY":         {CapAdd: []string{"FLY"}},
		"two mounts":            {Mounts: []Mount{{Type: TmpfsMount, Target: "/a"}, {Type: TmpfsMount, Target: "/a/"}}},
		"bind /srv at /numbers": {Mounts: []Mount{{Type: BindMount, Source: "/srv", Target: "/numbers", IDMap: "uids=0-1-2;gids=0-1-2"}}},
	} {
		if err := s.CheckBundle(); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%+v: got %v, want a word of %s", s, err, word)
		}
	}
	fine := Spec{Mounts: []Mount{{Type: BindMount, Source: "/srv", Target: "/www"}, {Type: TmpfsMount, Target: "/tmp"}}}
	if err := fine.CheckBundle(); err != nil {
		t.Error(err)
	}
}

func TestNotInOCI(t *testing.T) {
	machine := sandbox.OCIMachine{Arch: "amd64", Kernel: [2]int{6, 1}}
	for word, s := range map[string]sandbox.Spec{
		"init":    {Init: true},
		"part of": {Mounts: []sandbox.Mount{{Type: "bind", Source: "/srv", Target: "/www", Subpath: "a"}}},
		"owners":  {Mounts: []sandbox.Mount{{Type: "bind", Source: "/srv", Target: "/www", IDMap: &sandbox.IDMaps{}}}},
		"symlink": {Links: []sandbox.Link{{Name: "/dev/other", Target: "/"}}},
		"limit":   {Process: sandbox.Process{Rlimits: []sandbox.Rlimit{{Name: "wishes", Soft: 3, Hard: 3}}}},
		"seccomp": {Process: sandbox.Process{Seccomp: []byte("{")}},
	} {
		if _, err := s.OCIFor(machine); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want a word of %s", err, word)
		}
	}
}
