package sandbox

import (
	"reflect"
	"testing"

	"github.com/moby/sys/user"
)

func TestStack(t *testing.T) {
	got := stack(1000, []user.SubID{{Name: "u", SubID: 100000, Count: 65536}, {Name: "u", SubID: 500000, Count: 10}})
	want := []IDRange{{0, 1000, 1}, {1, 100000, 65536}, {65537, 500000, 10}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestGranted(t *testing.T) {
	match := granted("joe", 1000)
	for _, c := range []struct {
		row  string
		want bool
	}{{"joe", true}, {"1000", true}, {"jo", false}, {"100", false}, {"", false}} {
		if got := match(user.SubID{Name: c.row}); got != c.want {
			t.Errorf("row of %q: %v, want %v", c.row, got, c.want)
		}
	}
}

func TestExitStatus(t *testing.T) {
	if status, err := exitStatus(nil); status != 0 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
}
