package runner

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParseVolume(t *testing.T) {
	for word, want := range map[string]Mount{
		"/data":                              {Type: VolumeMount, Target: "/data"},
		"db:/data":                           {Type: VolumeMount, Source: "db", Target: "/data"},
		"db.1:/data":                         {Type: VolumeMount, Source: "db.1", Target: "/data"},
		"/srv:/data":                         {Type: BindMount, Source: "/srv", Target: "/data"},
		".:/data":                            {Type: BindMount, Source: ".", Target: "/data"},
		"a/b:/data:ro":                       {Type: BindMount, Source: "a/b", Target: "/data", ReadOnly: true},
		"db:/data:rw":                        {Type: VolumeMount, Source: "db", Target: "/data"},
		"db:/d:nocopy,U,z":                   {Type: VolumeMount, Source: "db", Target: "/d", NoCopy: true, Chown: true},
		"db:/d:nocreate,O":                   {Type: VolumeMount, Source: "db", Target: "/d", NoCreate: true, Overlay: true},
		"db:/d:copy,cached":                  {Type: VolumeMount, Source: "db", Target: "/d"},
		"/s:/d:rslave,noexec,nodev,nosuid,Z": {Type: BindMount, Source: "/s", Target: "/d", Propagation: "rslave", Attributes: []string{"noexec", "nodev", "nosuid"}},
		"/s:/d:bind,runbindable,ro,ro":       {Type: BindMount, Source: "/s", Target: "/d", Propagation: "runbindable", Recursion: RecursionDisabled, ReadOnly: true},
		"/s:/d:rbind,idmap":                  {Type: BindMount, Source: "/s", Target: "/d", IDMap: "container"},
		"/s:/d:idmap=uids=0-1000-1;gids=0-1000-1#5-6-7": {Type: BindMount, Source: "/s", Target: "/d", IDMap: "uids=0-1000-1;gids=0-1000-1#5-6-7"},
	} {
		if got, err := ParseVolume(word); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", word, got, err, want)
		}
	}
}

// Each error must name what is wrong.
func TestParseVolumeErrors(t *testing.T) {
	for word, want := range map[string]string{
		"":                                "empty",
		":/data":                          "empty",
		"db:":                             "empty",
		"db:/d:":                          "empty",
		"db":                              `"db" is no place in a container`,
		"db:data":                         `"data" is no place`,
		"db:/":                            "it is the root",
		"db:/a/..":                        "it is the root",
		"/data:ro":                        `"ro" is no place`,
		"a:/b:ro:x":                       "--mount",
		"-db:/data":                       `"-db" is no name of a volume`,
		"d b:/data":                       `"d b" is no name of a volume`,
		"db:/d:ro,":                       "an option is empty",
		"db:/d:fast":                      `"fast" isn't known`,
		"db:/d:RO":                        `"RO" isn't known`,
		"db:/d:ro,rw":                     `"ro" and "rw" exclude each other`,
		"/s:/d:z,Z":                       `"z" and "Z" exclude`,
		"/s:/d:slave,rslave":              `"slave" and "rslave" exclude`,
		"/s:/d:nocopy":                    `"nocopy" is for a volume`,
		"db:/d:bind":                      `"bind" is for a bind`,
		"db:/d:idmap=x":                   "neither uids= nor gids=",
		"db:/d:idmap=uids=1-2;gids=1-2-3": "three numbers",
		"db:/d:idmap=uids=1-2-3":          "both are needed",
	} {
		if got, err := ParseVolume(word); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v; want an error with %q", word, got, err, want)
		}
	}
}

func TestParseMount(t *testing.T) {
	for text, want := range map[string]Mount{
		"dst=/d":                                                                           {Type: VolumeMount, Target: "/d"},
		"Type=Volume,SRC=db,Destination=/d,RO":                                             {Type: VolumeMount, Source: "db", Target: "/d", ReadOnly: true},
		"target=/d,source=db,readonly=false":                                               {Type: VolumeMount, Source: "db", Target: "/d"},
		"type=bind,source=/s,target=/d,ro=1":                                               {Type: BindMount, Source: "/s", Target: "/d", ReadOnly: true},
		`type=bind,"source=/a,b:c",target=/d`:                                              {Type: BindMount, Source: "/a,b:c", Target: "/d"},
		"type=bind,src=s,dst=/d,bind-propagation=rshared,bind-create-src":                  {Type: BindMount, Source: "s", Target: "/d", Propagation: "rshared", CreateSource: true},
		"type=bind,src=/s,dst=/d,bind-recursive=enabled":                                   {Type: BindMount, Source: "/s", Target: "/d"},
		"type=bind,src=/s,dst=/d,bind-recursive=disabled":                                  {Type: BindMount, Source: "/s", Target: "/d", Recursion: RecursionDisabled},
		"type=bind,src=/s,dst=/d,ro,bind-recursive=writable":                               {Type: BindMount, Source: "/s", Target: "/d", ReadOnly: true, Recursion: RecursionWritable},
		"type=bind,src=/s,dst=/d,ro,bind-recursive=readonly,bind-propagation=rprivate":     {Type: BindMount, Source: "/s", Target: "/d", ReadOnly: true, Recursion: RecursionReadOnly, Propagation: "rprivate"},
		"type=bind,src=/s,dst=/d,bind-nonrecursive=true,relabel=shared,consistency=cached": {Type: BindMount, Source: "/s", Target: "/d", Recursion: RecursionDisabled},
		"type=volume,src=db,dst=/d,volume-subpath=a/b,volume-nocopy,volume-driver=rclone,volume-opt=a=b=c,volume-opt=d=,volume-label=x,volume-label=y=z": {
			Type: VolumeMount, Source: "db", Target: "/d", Subpath: "a/b", NoCopy: true, Driver: "rclone",
			Options: map[string]string{"a": "b=c", "d": ""}, Labels: map[string]string{"x": "", "y": "z"},
		},
		"type=volume,src=db,dst=/d,U,nocreate,idmap,noexec,nodev=false": {Type: VolumeMount, Source: "db", Target: "/d", Chown: true, NoCreate: true, IDMap: "container", Attributes: []string{"noexec", "dev"}},
		"type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1777,tmpcopyup":    {Type: TmpfsMount, Target: "/t", CopyUp: true, Attributes: []string{"size=67108864", "mode=1777"}},
		"type=tmpfs,dst=/t,tmpfs-size=0":                                {Type: TmpfsMount, Target: "/t", Attributes: []string{"size=0"}},
		"type=bind,src=/s,dst=/d,idmap=false":                           {Type: BindMount, Source: "/s", Target: "/d"},
		"type=bind,src=/s,dst=/d,idmap=true":                            {Type: BindMount, Source: "/s", Target: "/d", IDMap: "container"},
		"type=image,src=debian:12,dst=/i,readwrite":                     {Type: ImageMount, Source: "debian:12", Target: "/i", Writable: true},
		"type=image,src=debian:12,dst=/i":                               {Type: ImageMount, Source: "debian:12", Target: "/i"},
		"type=image,src=debian:12,dst=/i,rw=true,image-subpath=usr":     {Type: ImageMount, Source: "debian:12", Target: "/i", Writable: true, Subpath: "usr"},
		"type=image,src=debian:12,dst=/i,subpath=usr":                   {Type: ImageMount, Source: "debian:12", Target: "/i", Subpath: "usr"},
	} {
		if got, err := ParseMount(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseMountErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "empty",
		"dst=/d\ndst=/e":                        "one line",
		`"dst=/d`:                               "fields with commas",
		"type=bind":                             "the target is missing",
		"dst=data":                              `"data" is no place`,
		"dst=/":                                 "the root",
		"type=nfs,dst=/d":                       `"nfs" isn't one of bind or volume or tmpfs or image`,
		"type=bind,dst=/d":                      "the source is missing",
		"type=image,dst=/d":                     "the source is missing",
		"type=tmpfs,src=x,dst=/d":               "no source",
		"speed=1,dst=/d":                        `the key "speed" isn't known`,
		"src=,dst=/d":                           `the key "src": its value is empty`,
		"src,dst=/d":                            `the key "src": a value is expected`,
		"src= db,dst=/d":                        `"src= db": white space`,
		" src=db,dst=/d":                        `" src=db": white space`,
		"src=db, dst=/d":                        `" dst=/d": white space`,
		"src=db,source=x,dst=/d":                `"source" is given twice`,
		"dst=/d,":                               `the key "" isn't known`,
		"dst=/d,ro=perhaps":                     `the key "ro": "perhaps" is neither`,
		"dst=/d,bind-propagation=shared":        `"bind-propagation" is for a bind, and this is a volume`,
		"type=bind,src=/s,dst=/d,volume-nocopy": `"volume-nocopy" is for a volume`,
		"type=bind,src=/s,dst=/d,Tmpfs-Size=1":  `"Tmpfs-Size" is for a tmpfs`,
		"type=tmpfs,dst=/d,tmpfs-size=big":      `the key "tmpfs-size": "big"`,
		"type=tmpfs,dst=/d,tmpfs-mode=999":      `the key "tmpfs-mode": "999"`,
		"type=tmpfs,dst=/d,tmpfs-mode=17777":    `"17777"`,
		"type=bind,src=/s,dst=/d,bind-propagation=x":                                 `"x" isn't one of`,
		"type=bind,src=/s,dst=/d,bind-recursive=x":                                   `"x" isn't one of`,
		"type=bind,src=/s,dst=/d,bind-recursive=readonly":                            "add readonly",
		"type=bind,src=/s,dst=/d,bind-recursive=writable":                            "add readonly",
		"type=bind,src=/s,dst=/d,ro,bind-recursive=readonly,bind-propagation=rslave": "exclude each other",
		"type=bind,src=/s,dst=/d,ro,bind-recursive=readonly,bind-nonrecursive":       "exclude each other",
		"src=db,dst=/d,volume-opt=x":                                                 `the key "volume-opt": "x"`,
		"src=db,dst=/d,volume-label==x":                                              `the key "volume-label": a name`,
		"src=db,dst=/d,volume-subpath=../x":                                          `"../x" leads out`,
		"src=db,dst=/d,volume-subpath=/x":                                            `"/x" leads out`,
		"src=db,dst=/d,volume-subpath=a/../../x":                                     "leads out",
		"src=a/b,dst=/d":                                                             `"a/b" is no name`,
		"dst=/d,nocreate":                                                            "needs a name",
	} {
		if got, err := ParseMount(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v; want an error with %q", text, got, err, want)
		}
	}
}

func TestParseTmpfs(t *testing.T) {
	for word, want := range map[string]Mount{
		"/t":                              {Type: TmpfsMount, Target: "/t", CopyUp: true},
		"/t:size=64m,mode=1777":           {Type: TmpfsMount, Target: "/t", CopyUp: true, Attributes: []string{"size=64m", "mode=1777"}},
		"/t:ro,exec,notmpcopyup,rprivate": {Type: TmpfsMount, Target: "/t", ReadOnly: true, Attributes: []string{"exec"}, Propagation: "rprivate"},
		"/t:defaults,atime,async,noexec":  {Type: TmpfsMount, Target: "/t", CopyUp: true, Attributes: []string{"noexec"}},
		"/t:rw,nr_inodes=5,uid=1,noatime": {Type: TmpfsMount, Target: "/t", CopyUp: true, Attributes: []string{"nr_inodes=5", "uid=1", "noatime"}},
	} {
		if got, err := ParseTmpfs(word); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", word, got, err, want)
		}
	}
	for word, want := range map[string]string{
		"":          "is no place",
		"t":         "is no place",
		"/":         "the root",
		"/t:":       "no options",
		"/t:,":      "isn't known",
		"/t:fast":   `"fast" isn't known`,
		"/t:size":   "a value is expected",
		"/t:size=":  "a value is expected",
		"/t:exec=1": `"exec=1" isn't known`,
	} {
		if got, err := ParseTmpfs(word); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %+v, %v; want an error with %q", word, got, err, want)
		}
	}
}

// What was parsed is kept as JSON, and means the same when it is read again.
func keptWhole(t *testing.T, m Mount) {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back Mount
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(m, back) {
		t.Errorf("%+v comes back as %+v (%v)", m, back, err)
	}
	if err := back.check(); err != nil {
		t.Errorf("%+v passed and fails now: %v", back, err)
	}
	if !strings.HasPrefix(m.Target, "/") {
		t.Errorf("%+v has no place", m)
	}
}

func fuzzParse(f *testing.F, parse func(string) (Mount, error), seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if m, err := parse(word); err == nil {
			keptWhole(t, m)
		}
	})
}

func FuzzParseVolume(f *testing.F) {
	fuzzParse(f, ParseVolume, "/data", "db:/data", "/s:/d:ro,rslave,noexec", "db:/d:idmap=uids=0-1-2;gids=0-1-2#3-4-5", "a:b:c:d")
}

func FuzzParseMount(f *testing.F) {
	fuzzParse(f, ParseMount, "dst=/d", `type=bind,"src=/a,b",dst=/d,bind-recursive=writable,ro`, "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700",
		"src=db,dst=/d,volume-opt=a=b,volume-label=c,volume-subpath=x", "type=image,src=i,dst=/i,rw")
}

func FuzzParseTmpfs(f *testing.F) {
	fuzzParse(f, ParseTmpfs, "/t", "/t:size=1m,mode=700", "/t:ro,notmpcopyup")
}
