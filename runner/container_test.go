package runner

import (
	"os"
	"path/filepath"
	"testing"

	"unionfs/layerstore"
)

// TestDamagedContainer: one whose description is damaged is in nobody's way who looks,
// and in the way of those who take away what no container has: it may have that.
func TestDamagedContainer(t *testing.T) {
	for name, damage := range map[string]func(c *Container) error{
		"nothing":     func(*Container) error { return nil },
		"description": func(c *Container) error { return os.WriteFile(filepath.Join(c.Dir(), "meta.json"), []byte("{"), 0o600) },
		"state":       func(c *Container) error { return os.WriteFile(c.file(stateFile), []byte("{"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := layerstore.Open(filepath.Join(t.TempDir(), "store"))
			if err != nil {
				t.Fatal(err)
			}
			warnings := 0
			s.Warn = func(string) { warnings++ }
			r := &Runner{Store: s, Warn: s.Warn}
			for _, name := range []string{"one", "two"} {
				data, err := dataOf(Spec{Image: "box", Mounts: []Mount{{Type: VolumeMount, Source: "data", Target: "/data"}}})
				if err != nil {
					t.Fatal(err)
				}
				st, err := s.Begin()
				if err != nil {
					t.Fatal(err)
				}
				_, err = st.NewSnapshot(layerstore.Snapshot{Name: name, Data: data}, func(*layerstore.Snapshot) error { return nil })
				st.Close()
				if err != nil {
					t.Fatal(err)
				}
			}
			c, err := r.Find("two")
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(&c); err != nil {
				t.Fatal(err)
			}
			list, err := r.List()
			if err != nil {
				t.Fatal(err)
			}
			users, err := r.VolumeUsers("data")
			if name == "nothing" {
				if len(list) != 2 || len(users) != 2 || err != nil || warnings != 0 {
					t.Errorf("%d containers, %v use the volume, %v, %d warnings", len(list), users, err, warnings)
				}
				return
			}
			if len(list) != 1 || list[0].Name != "one" || warnings == 0 {
				t.Errorf("listed are %d, with %d warnings", len(list), warnings)
			}
			if err == nil {
				t.Errorf("%v use the volume, and nobody knows what the other has", users)
			}
		})
	}
}
