package runner

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// A spec that was kept before there were volumes means what it meant.
func TestSpecOfOldContainer(t *testing.T) {
	var s Spec
	text := `{"image":"box","resources":{},"binds":[{"source":"/srv","target":"/mnt","options":["ro","rslave","noexec"]}],"tmpfs":[{"target":"/tmp","options":["size=1m"]}]}`
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	want := []Mount{
		{Type: BindMount, Source: "/srv", Target: "/mnt", ReadOnly: true, Propagation: "rslave", Attributes: []string{"noexec"}},
		{Type: TmpfsMount, Target: "/tmp", Attributes: []string{"size=1m"}, CopyUp: true},
	}
	if got := s.storage(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSettleStorage(t *testing.T) {
	s := Spec{VolumeDriver: "rclone", Mounts: []Mount{
		{Type: VolumeMount, Source: "db", Target: "/data/"},
		{Type: VolumeMount, Target: "/own", Driver: "local"},
		{Type: BindMount, Source: "x", Target: "/bound"},
	}}
	if err := (&Runner{}).settleStorage(&s, map[string]struct{}{"/data": {}, "logs": {}, "/bound": {}, "/": {}}); err != nil {
		t.Fatal(err)
	}
	if len(s.Mounts) != 4 {
		t.Fatalf("%+v", s.Mounts)
	}
	for i, want := range []struct {
		target, driver string
		anonymous      bool
	}{{"/data/", "rclone", false}, {"/own", "local", true}, {"/bound", "", false}, {"/logs", "rclone", true}} {
		m := s.Mounts[i]
		if m.Target != want.target || m.Driver != want.driver || m.Anonymous != want.anonymous || m.Anonymous && len(m.Source) != 64 {
			t.Errorf("%+v, want %+v", m, want)
		}
	}
	wd, _ := os.Getwd()
	if s.Mounts[2].Source != wd+"/x" {
		t.Errorf("the bind's source is %s", s.Mounts[2].Source)
	}
	twice := Spec{Mounts: []Mount{{Type: TmpfsMount, Target: "/a"}, {Type: VolumeMount, Source: "x", Target: "/b/../a"}}}
	if err := (&Runner{}).settleStorage(&twice, nil); err == nil {
		t.Error("two mounts at one place passed")
	}
}

func TestMayByMode(t *testing.T) {
	for _, row := range []struct {
		mode, uid uint32
		groups    []uint32
		how       uint32
		want      bool
	}{
		{0o700, 5, nil, unix.W_OK, true},
		{0o700, 6, nil, unix.W_OK, false},
		{0o077, 5, nil, unix.W_OK, false},
		{0o070, 6, []uint32{1, 7}, unix.R_OK | unix.W_OK, true},
		{0o707, 6, []uint32{7}, unix.R_OK, false},
		{0o702, 6, []uint32{8}, unix.W_OK, true},
	} {
		if got := mayByMode(&unix.Stat_t{Mode: row.mode, Uid: 5, Gid: 7}, row.uid, row.groups, row.how); got != row.want {
			t.Errorf("%+v: %v", row, got)
		}
	}
}

func TestOutsideID(t *testing.T) {
	ranges := []sandbox.IDRange{{Inside: 0, Host: 1000, Count: 1}, {Inside: 1, Host: 100000, Count: 10}}
	for id, want := range map[uint32]uint32{0: 1000, 1: 100000, 10: 100009} {
		if got, ok := outsideID(ranges, id); !ok || got != want {
			t.Errorf("%d is %d, %v", id, got, ok)
		}
	}
	if got, ok := outsideID(ranges, 11); ok {
		t.Errorf("11 is %d", got)
	}
	if got, ok := outsideID(nil, 7); !ok || got != 7 {
		t.Errorf("without maps 7 is %d, %v", got, ok)
	}
}

// What is part of the system isn't given away, under whatever name.
func TestMayGiveAway(t *testing.T) {
	link := t.TempDir() + "/link"
	if err := os.Symlink("/usr/share", link); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"/", "/usr", "/etc/", "/usr/../etc", link, "/tmp"} {
		if mayGiveAway(bad) == nil {
			t.Errorf("%s may be given away", bad)
		}
	}
	if err := mayGiveAway(t.TempDir()); err != nil {
		t.Error(err)
	}
}
