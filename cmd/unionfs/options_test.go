package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"unionfs/fs/union"
)

func TestOptionsSet(t *testing.T) {
	id := func(n uint32) *uint32 { return &n }
	span := func(d time.Duration) *time.Duration { return &d }
	for _, c := range []struct {
		typed string
		want  func(s *settings)
	}{
		{"", func(*settings) {}},
		{"lowerdir=/a:/b", func(s *settings) { s.config.Union.Lower = []string{"/a", "/b"} }},
		{"lowerdir=/a,lowerdir=/b", func(s *settings) { s.config.Union.Lower = []string{"/b"} }},
		{"lowerdir=/a,lowerdir+=/b:c", func(s *settings) { s.config.Union.Lower = []string{"/a", "/b:c"} }},
		{`lowerdir=/a\:1:/b\\2`, func(s *settings) { s.config.Union.Lower = []string{"/a:1", `/b\2`} }},
		{"upperdir=/u,workdir=/w", func(s *settings) { s.config.Union.Upper, s.config.Union.Work = "/u", "/w" }},
		{"upperdir=/u,upperdir=/v", func(s *settings) { s.config.Union.Upper = "/v" }},
		{"redirect_dir=off", func(s *settings) { s.config.Union.RedirectDir = union.RedirectFollow }},
		{"redirect_dir=nofollow", func(s *settings) { s.config.Union.RedirectDir = union.RedirectNoFollow }},
		{"redirect_dir=off,redirect_dir=on", func(*settings) {}},
		{"metacopy=off,index=off", func(s *settings) { s.config.Union.NoMetacopy, s.config.Union.NoIndex = true, true }},
		{"metacopy=on,index=on", func(*settings) {}},
		{"userxattr,volatile", func(s *settings) { s.config.Union.UserXattr, s.config.Union.Volatile = true, true }},
		{"uidmapping=:0:200000:5000", func(s *settings) {
			s.config.Union.UIDMap = []union.IDRange{{Host: 0, Container: 200000, Count: 5000}}
		}},
		{"gidmapping=0:1:1:1:100:50:", func(s *settings) {
			s.config.Union.GIDMap = []union.IDRange{{Container: 1, Count: 1}, {Host: 1, Container: 100, Count: 50}}
		}},
		{"squash_to_root", func(s *settings) { s.config.Union.SquashUID, s.config.Union.SquashGID = id(0), id(0) }},
		{"squash_to_uid=7,squash_to_gid=8", func(s *settings) {
			s.config.Union.SquashUID, s.config.Union.SquashGID = id(7), id(8)
		}},
		{"timeout=0", func(s *settings) { s.config.Timeout = span(0) }},
		{"timeout=0.5", func(s *settings) { s.config.Timeout = span(time.Second / 2) }},
		{"timeout=1e300", func(*settings) {}},
		{"fsync=0", func(s *settings) { s.config.Union.NoSync = true }},
		{"fsync=0,fsync=1", func(*settings) {}},
		{"sync=0", func(s *settings) { s.config.Union.NoSync = true }},
		{"sync", func(s *settings) { s.config.Options = []string{"sync"} }},
		{"writeback=0", func(s *settings) { s.config.NoWriteback = true }},
		{"max_write=65536", func(s *settings) { s.config.MaxWrite = 65536 }},
		{"xattr_permissions=2", func(s *settings) { s.config.Union.XattrPermissions = 2 }},
		{"noxattrs,noacl", func(s *settings) { s.config.Union.NoXattrs, s.config.Union.NoACL = true, true }},
		{"noxattrs=1", func(s *settings) { s.config.Union.NoXattrs = true }},
		{"noxattrs=0", func(*settings) {}},
		{"static_nlink,ino32_t", func(s *settings) { s.config.Union.StaticNlink, s.config.Union.Ino32 = true, true }},
		{`context="u:object_r:t:s0:c1,c2"`, func(s *settings) { s.config.Options = []string{"context=u:object_r:t:s0:c1,c2"} }},
		{"ro,nosuid,nodev,private", func(s *settings) { s.config.Options = []string{"ro", "nosuid", "nodev", "private"} }},
		{`fsname=a\,b,subtype=x`, func(s *settings) { s.config.Source, s.config.Subtype = "a,b", "x" }},
		{"debug", func(s *settings) { s.config.Debug, s.foreground = true, true }},
		{"remount,ro", func(s *settings) { s.remount, s.config.Options = true, []string{"ro"} }},
		{"threaded=1,fast_ino=0,xino=auto,defaults,_netdev,x-systemd.automount,comment=x", func(*settings) {}},
		{"uuid=off,nfs_export=off", func(*settings) {}},
		{"what,what,ever=1", func(s *settings) { s.unknown = []string{"what", "ever=1"} }},
	} {
		got, want := newSettings(), newSettings()
		c.want(want)
		if err := got.apply(c.typed); err != nil {
			t.Errorf("%s: %v", c.typed, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", c.typed, got, want)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, typed := range []string{
		"lowerdir", "lowerdir=/a::/b", "lowerdir=:/a", "lowerdir=/a:", "lowerdir+=", "upperdir=", "workdir=",
		"redirect_dir=maybe", "metacopy=2", "index=x", "xino=maybe", "uidmapping=", "uidmapping=1:2",
		"uidmapping=0:0:0", "uidmapping=a:b:c", "gidmapping=0:4294967295:1", "gidmapping=0:1:4294967295",
		"squash_to_uid=", "squash_to_gid=-1", "squash_to_uid=4294967296", "timeout=", "timeout=soon",
		"timeout=-1", "timeout=NaN", "fsync=2", "writeback=x", "max_write=1", "max_write=9999999999",
		"xattr_permissions=3", "userxattr=1", "ro=1", "context=", "threaded=2",
	} {
		err := newSettings().apply(typed)
		if err == nil {
			t.Errorf("%s is taken", typed)
			continue
		}
		name, _, _ := strings.Cut(typed, "=")
		if statusOf(err) != exitUsage || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error %q must be a usage error of one line that names the option", typed, err)
		}
	}
}

func TestOptionsWithAdvice(t *testing.T) {
	s := newSettings()
	if err := s.apply("plugins=/a:/b,nfs_export=on,uuid=on,plugins=/c"); err != nil {
		t.Fatal(err)
	}
	if len(s.advice) != 3 {
		t.Errorf("got %q, want one line for each of plugins, nfs_export and uuid", s.advice)
	}
}

func TestRelativeLayers(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	s := newSettings()
	if err := s.apply("lowerdir=l/A:/b:../c,upperdir=u,workdir=./w"); err != nil {
		t.Fatal(err)
	}
	if want := []string{dir + "/l/A", "/b", dir + "/../c"}; !slices.Equal(s.config.Union.Lower, want) {
		t.Errorf("got %q, want %q", s.config.Union.Lower, want)
	}
	if s.config.Union.Upper != dir+"/u" || s.config.Union.Work != dir+"/./w" {
		t.Errorf("got upper %q and work %q", s.config.Union.Upper, s.config.Union.Work)
	}
}

func TestThousandLayers(t *testing.T) {
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("/layers/with/a/long/name/%04d", i))
	}
	whole, single := newSettings(), newSettings()
	if err := whole.apply("lowerdir=" + strings.Join(names, ":")); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := single.apply("lowerdir+=" + name); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(whole.config.Union.Lower, names) || !slices.Equal(single.config.Union.Lower, names) {
		t.Error("a thousand layers don't read back in their order")
	}
}

// TestEveryRow: the rows are found by their names, have words for the help,
// and the page of options tells of each.
func TestEveryRow(t *testing.T) {
	page, err := os.ReadFile("../../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, sec := range sections() {
		for _, row := range sec.rows {
			if seen[row.name] || row.help == "" || row.set == nil {
				t.Errorf("option %s: rows need a name of their own, help and an effect", row.name)
			}
			seen[row.name] = true
			if !strings.Contains(string(page), "`"+row.name) {
				t.Errorf("option %s is missing in docs/options.md", row.name)
			}
		}
	}
}
