package main

import (
	"os"
	"os/user"
	"testing"
)

// A program that was started without HOME has the one of the user's account.
func TestFindHome(t *testing.T) {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "")
	findHome()
	if got := os.Getenv("HOME"); got != u.HomeDir {
		t.Errorf("HOME is %q, and the account says %q", got, u.HomeDir)
	}
	t.Setenv("HOME", "/somewhere")
	findHome()
	if got := os.Getenv("HOME"); got != "/somewhere" {
		t.Errorf("HOME, which was set, is %q", got)
	}
}
