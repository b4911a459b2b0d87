package runner

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/runner/sandbox"
)

// a user with 100 ids beside the own one.
var userFacts = Facts{
	CallerUID: 1000, CallerGID: 50, Seccomp: true,
	IDs: sandbox.IDMaps{
		UIDs: []sandbox.IDRange{{Inside: 0, Host: 1000, Count: 1}, {Inside: 1, Host: 100000, Count: 60}, {Inside: 61, Host: 300000, Count: 40}},
		GIDs: []sandbox.IDRange{{Inside: 0, Host: 50, Count: 1}, {Inside: 1, Host: 100000, Count: 100}},
	},
}

func TestOwnIDs(t *testing.T) {
	root := Facts{InitialUserNS: true}
	one := Facts{SingleID: true}
	auto := &sandbox.IDMaps{UIDs: []sandbox.IDRange{{Host: 5, Count: 9}}, GIDs: []sandbox.IDRange{{Host: 6, Count: 9}}}
	for _, row := range []struct {
		mode  string
		facts Facts
		want  string // of the maps, "" for none
		wrong string
	}{
		{"", userFacts, "", ""}, {"host", userFacts, "", ""}, {"map", one, "", ""}, {"host", root, "", ""},
		// The caller's number 1000 is beyond the 101 that there are.
		{"keep-id", userFacts, "uids 0=1+100,1000=0+1; gids 0=1+50,50=0+1,51=51+50", ""},
		{"keep-id:uid=33,gid=0", userFacts, "uids 0=1+33,33=0+1,34=34+67; gids 0=0+101", ""},
		{"keep-id", root, "", ""},
		{"keep-id:uid=7", root, "", "you are root"},
		{"keep-id", one, "", "one id alone"},
		{"auto", one, "", "one id alone"},
		{"auto", userFacts, "uids 0=5+9; gids 0=6+9", ""},
		{"map:uids=0-10-20;gids=0-10-20", userFacts, "uids 0=10+20; gids 0=10+20", ""},
		{"map:uids=0-10-20;gids=0-10-20", one, "", "one id alone"},
		{"map:uids=0-90-20;gids=0-10-20", userFacts, "", "there are ids up to 100"},
		{"map:uids=0-100000-65536;gids=0-100000-65536", root, "uids 0=100000+65536; gids 0=100000+65536", ""},
		{"map:uids=1-10-20;gids=0-10-20", userFacts, "", "say nothing of 0"},
		{"map:container", root, "", "uids= and gids="},
		{"private", root, "", "is expected"}, {"keep-id:size=4", root, "", "isn't known"},
		{"auto:size=0", root, "", "size from 1"}, {"auto:size=65537", root, "", "size from 1"}, {"host:x", root, "", "no options"},
	} {
		s := Spec{UserMode: row.mode, IDs: auto}
		got, err := s.ownIDs(row.facts)
		switch {
		case row.wrong != "":
			if err == nil || !strings.Contains(err.Error(), row.wrong) {
				t.Errorf("%s: %v, want an error with %q", row.mode, err, row.wrong)
			}
		case err != nil:
			t.Errorf("%s: %v", row.mode, err)
		case row.want == "" && len(got.UIDs)+len(got.GIDs) > 0, row.want != "" && got.String() != row.want:
			t.Errorf("%s: %s, want %q", row.mode, got, row.want)
		}
	}
}

// All ids of a namespace have one number in the container, and no two the same.
func TestKeptIDsAreAll(t *testing.T) {
	for _, count := range []int{2, 10, 101} {
		for _, own := range []int{0, 1, 5, 99, 100, 101, 5000} {
			ranges := moved(own, count)
			seen := map[uint32]bool{}
			for id := range uint32(count) {
				inside, ok := insideID(ranges, id)
				back, bok := outsideID(ranges, inside)
				if !ok || !bok || back != id || seen[inside] {
					t.Errorf("%d of %d with %d: %d and back %d", id, count, own, inside, back)
				}
				seen[inside] = true
			}
			if inside, _ := insideID(ranges, 0); inside != uint32(own) {
				t.Errorf("of %d: the caller is %d, want %d", count, inside, own)
			}
			if _, ok := outsideID(ranges, 0); !ok {
				t.Errorf("of %d with %d: there is no root", count, own)
			}
		}
	}
}

func TestKeptUser(t *testing.T) {
	s := Spec{UserMode: "keep-id", Args: []string{"x"}}
	p, err := s.process(&v1.Config{User: "33"}, Accounts{}, userFacts, "h")
	if err != nil || p.UID != 1000 || p.GID != 50 {
		t.Errorf("the program is %d:%d (%v), want the caller, 1000:50", p.UID, p.GID, err)
	}
	s.User = "7:8"
	if p, err = s.process(&v1.Config{}, Accounts{}, userFacts, "h"); err != nil || p.UID != 7 || p.GID != 8 {
		t.Errorf("the program is %d:%d (%v), and 7:8 was asked for", p.UID, p.GID, err)
	}
}

func TestFreeRange(t *testing.T) {
	pool := []sandbox.IDRange{{Host: 100, Count: 10}, {Host: 1000, Count: 100}}
	taken := []sandbox.IDRange{{Host: 1040, Count: 10}, {Host: 1000, Count: 20}, {Host: 100, Count: 4}}
	for size, want := range map[int]int{5: 104, 6: 104, 7: 1020, 20: 1020, 21: 1050, 50: 1050, 51: -1} {
		got, ok := freeRange(pool, taken, size)
		if !ok {
			got.Host = -1
		}
		if got.Host != want || ok && got.Count != size {
			t.Errorf("%d ids are at %+v, want %d", size, got, want)
		}
	}
	if _, ok := freeRange(nil, nil, 1); ok {
		t.Error("there are ids in an empty pool")
	}
}

func TestHighestID(t *testing.T) {
	if got := highestID("root:x:0:0::/:\nbig:x:4000:5:::\nnobody:x:65534:65534:::\nodd\n::x:\n"); got != 4000 {
		t.Errorf("the highest is %d, want 4000", got)
	}
}

func TestPlanOfOwnIDs(t *testing.T) {
	r := Request{ID: strings.Repeat("0123456789abcdef", 4), Spec: Spec{UserMode: "keep-id"}, EtcDir: "/store/etc", Config: v1.Config{Cmd: []string{"/bin/sh"}}}
	p, err := NewPlan(r, userFacts)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.IDMaps.UIDs, moved(1000, 101)) {
		t.Errorf("its maps are %s", p.IDMaps)
	}
	p.RootPath = "/store/root"
	golden(t, filepath.Join("testdata", "plan-own-ids.txt"), sandbox.PlanText(sandbox.Plan(&p)))
}

// A volume begins with owners that the container sees as the image's: on disk they are
// those where its mount maps them, and with keep-id, where it doesn't, the container's.
func TestOwnersInNewVolumes(t *testing.T) {
	ids := sandbox.IDMaps{
		UIDs: []sandbox.IDRange{{Inside: 0, Host: 1, Count: 1000}, {Inside: 1000, Host: 0, Count: 1}},
		GIDs: []sandbox.IDRange{{Inside: 0, Host: 1, Count: 1000}, {Inside: 1000, Host: 0, Count: 1}},
	}
	for mode, want := range map[string][2]uint32{
		"keep-id":                {100, 0}, // as the root shows 99 and the user's own
		"keep-id:uid=1000":       {100, 0},
		"map:uids=0-1-1000;gids": {99, 1000},
	} {
		m := &monitor{c: &Container{Spec: Spec{UserMode: mode}}, ids: ids}
		if uid, gid := m.ownerInVolume(100, 0); uid != want[0] || gid != want[1] {
			t.Errorf("%s: %d:%d, want %d:%d", mode, uid, gid, want[0], want[1])
		}
	}
}

// Who has the same number inside gets an account where the image has none.
func TestKeptAccount(t *testing.T) {
	a := Accounts{Passwd: "root:x:0:0::/root:/bin/sh\nann:x:7:7::/:/bin/sh\n", Group: "root:x:0:\n"}
	for _, c := range []struct {
		name          string
		uid, gid      uint32
		passwd, group string
	}{
		{"joe", 1000, 1000, "joe:x:1000:1000::/srv:/bin/sh\n", "joe:x:1000:\n"},
		{"ann", 1000, 0, "user1000:x:1000:0::/srv:/bin/sh\n", ""},
		{"joe", 7, 1000, "", ""},
	} {
		if passwd, group := a.keptAccount(c.name, c.uid, c.gid, "/srv"); passwd != c.passwd || group != c.group {
			t.Errorf("%s %d:%d: %q, %q", c.name, c.uid, c.gid, passwd, group)
		}
	}
	if passwd, group := (Accounts{}).keptAccount("joe", 1, 1, "/"); passwd+group != "" {
		t.Errorf("without accounts: %q, %q", passwd, group)
	}
}
