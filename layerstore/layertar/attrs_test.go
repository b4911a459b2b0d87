package layertar_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/layerstore/layertar"
	"unionfs/whiteout"
)

// An ACL that gives uid 7 more than the group has.
const acl = "\x02\x00\x00\x00" +
	"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x06\x00\x07\x00\x00\x00" +
	"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x06\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"

// A capability set of VFS_CAP_REVISION_2 (linux/capability.h): cap_net_raw+ep.
const netRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func pax(h tar.Header, records ...string) tar.Header {
	h.Format, h.PAXRecords = tar.FormatPAX, map[string]string{}
	for i := 0; i < len(records); i += 2 {
		h.PAXRecords[records[i]] = records[i+1]
	}
	return h
}

// everything is an archive with all that a layer can carry.
func everything(t testing.TB) []byte {
	t.Helper()
	old := time.Unix(-1000, 123456789)
	owned := func(h tar.Header, uid, gid int, mode int64) tar.Header {
		h.Uid, h.Gid, h.Mode, h.ModTime, h.Format = uid, gid, mode, old, tar.FormatPAX
		return h
	}
	root := owned(dir("./"), 3, 4, 0o750)
	return entries(t,
		root,
		owned(dir("d"), 1, 2, 0o1777),
		owned(file("d/suid"), 1000, 1000, 0o6755), "program",
		pax(owned(file("d/caps"), 5, 6, 0o755), "SCHILY.xattr.security.capability", netRaw, "SCHILY.xattr.user.x", "y\x00z"), "1",
		pax(owned(file("d/acl"), 0, 0, 0o664), "SCHILY.xattr.system.posix_acl_access", acl), "2",
		pax(owned(file("d/text"), 0, 0, 0o664), "SCHILY.acl.access", "user::rw-,user:7:rw-,group::r--,mask::rw-,other::r--"), "3",
		pax(owned(dir("inherit"), 0, 0, 0o2755), "SCHILY.xattr.system.posix_acl_default", acl),
		owned(file("inherit/x"), 0, 0, 0o600), "4",
		owned(dir("inherit/y"), 0, 0, 0o700),
		owned(file("readonly"), 0, 0, 0o004), "5",
		pax(owned(file("private"), 0, 0, 0o400), "SCHILY.xattr.user.overlay.opaque", "y", "SCHILY.xattr.user.overlay.overlay.x", "z"),
		owned(symlink("link"+strings.Repeat("x", 200), strings.Repeat("y", 4000)), 8, 9, 0o777),
		owned(file("not\xffutf-8"), 0, 0, 0o644), "6",
		owned(tar.Header{Typeflag: tar.TypeFifo, Name: "fifo"}, 1, 1, 0o620),
		link("again", "d/caps"),
	)
}

// devices need the initial user namespace, or a tree of one id.
func devices(t testing.TB) []byte {
	t.Helper()
	return entries(t,
		tar.Header{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3, Mode: 0o666},
		tar.Header{Typeflag: tar.TypeBlock, Name: "loop", Devmajor: 7, Devminor: 300, Mode: 0o660, Gid: 6})
}

// canOwn asks for ids to give files to: the machine's root has them.
func canOwn(t *testing.T) { fstest.NeedRoot(t) }

func TestEverythingOnDisk(t *testing.T) {
	canOwn(t)
	u := unpack(t, everything(t))
	if len(u.words) != 0 {
		t.Errorf("words: %q", u.words)
	}
	for path, want := range map[string]string{
		".":         "d 750 3:4",
		"d":         "d 1777 1:2",
		"d/suid":    "- 6755 1000:1000",
		"d/caps":    "- 755 5:6",
		"again":     "- 755 5:6",
		"d/acl":     "- 664 0:0",
		"inherit":   "d 2755 0:0",
		"inherit/x": "- 600 0:0",
		"inherit/y": "d 700 0:0",
		"readonly":  "- 4 0:0",
		"fifo":      "p 620 1:1",
	} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(u.dir, path), &st); err != nil {
			t.Error(err)
			continue
		}
		kind := map[uint32]string{unix.S_IFDIR: "d", unix.S_IFREG: "-", unix.S_IFIFO: "p"}[st.Mode&unix.S_IFMT]
		if got := fmt.Sprintf("%s %o %d:%d", kind, st.Mode&0o7777, st.Uid, st.Gid); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		if path != "again" && (st.Mtim.Sec != -1000 || st.Mtim.Nsec != 123456789) {
			t.Errorf("%s: mtime %v", path, st.Mtim)
		}
	}
	for _, c := range [][3]string{
		{"d/caps", "security.capability", netRaw},
		{"d/caps", "user.x", "y\x00z"},
		{"d/acl", "system.posix_acl_access", acl},
		{"d/text", "system.posix_acl_access", acl},
		{"inherit", "system.posix_acl_default", acl},
		{"inherit/x", "system.posix_acl_access", ""},
		{"inherit/y", "system.posix_acl_default", ""},
		{"private", "user.overlay.opaque", ""},
		{"private", "user.overlay.overlay.opaque", "y"},
		{"private", "user.overlay.overlay.overlay.x", "z"},
	} {
		buf := make([]byte, 200)
		n, err := unix.Lgetxattr(filepath.Join(u.dir, c[0]), c[1], buf)
		if got := string(buf[:max(n, 0)]); got != c[2] || (c[2] != "") != (err == nil) {
			t.Errorf("%s: %s is %q (%v), want %q", c[0], c[1], got, err, c[2])
		}
	}
}

// headers reads an archive back.
func headers(t testing.TB, archive []byte) []string {
	t.Helper()
	var out []string
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF {
			slices.Sort(out)
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		for k := range h.PAXRecords {
			if !strings.HasPrefix(k, "SCHILY.xattr.") {
				delete(h.PAXRecords, k)
			}
		}
		name := strings.TrimSuffix(h.Name, "/")
		if h.Typeflag == tar.TypeLink {
			out = append(out, fmt.Sprintf("%s == %s", name, h.Linkname))
			continue
		}
		if acl, ok := h.PAXRecords["SCHILY.acl.access"]; ok {
			h.PAXRecords["SCHILY.xattr.system.posix_acl_access"] = acl
		}
		out = append(out, fmt.Sprintf("%s %c %o %d:%d %d:%d %v %q %q %v", name, h.Typeflag, h.Mode, h.Uid, h.Gid,
			h.Devmajor, h.Devminor, h.ModTime.UnixNano(), h.Linkname, data, h.PAXRecords))
	}
}

// What Pack writes of what Unpack made is what the archive said, however owners
// are kept.
func TestEverythingComesBack(t *testing.T) {
	canOwn(t)
	comesBack(t, layertar.RealIDs)
}

func TestEverythingComesBackFromOneID(t *testing.T) { comesBack(t, layertar.SingleID) }

func comesBack(t *testing.T, ids layertar.IDs) {
	t.Helper()
	for _, archive := range [][]byte{everything(t), devices(t)} {
		u, err := unpackInto(t, archive, layertar.UnpackOptions{IDs: ids})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := layertar.PackTree(context.Background(), &b, openDir(t, u.dir), ids); err != nil {
			t.Fatal(err)
		}
		want, got := headers(t, archive), headers(t, b.Bytes())
		for i, w := range want {
			w = strings.Replace(w, "again == d/caps", "d/caps == again", 1)
			w = strings.Replace(w, "d/caps 0", "again 0", 1)
			want[i] = w
		}
		compareHeaders(t, want, got)
	}
}

func compareHeaders(t *testing.T, want, got []string) {
	t.Helper()
	for _, w := range want {
		// The ACL in words comes back in binary.
		if !slices.Contains(got, w) && !strings.HasPrefix(w, "d/text ") {
			t.Errorf("not in the archive: %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) && !strings.HasPrefix(g, "d/text ") && !strings.HasPrefix(g, ". ") {
			t.Errorf("came into the archive: %s", g)
		}
	}
}

// TestOneID looks at what stands in for what this process can't own.
func TestOneID(t *testing.T) {
	u, err := unpackInto(t, append(devices(t)[:1024], everything(t)...), layertar.UnpackOptions{IDs: layertar.SingleID})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		".":                               "3:4:0750",
		"null":                            "0:0:0666:char-1-3",
		"d":                               "1:2:1777",
		"d/suid":                          "1000:1000:6755",
		"readonly":                        "0:0:0004",
		"fifo":                            "1:1:0620:pipe",
		"link" + strings.Repeat("x", 200): "8:9:0777:symlink",
	} {
		full := filepath.Join(u.dir, path)
		buf := make([]byte, 200)
		n, err := unix.Lgetxattr(full, whiteout.OverrideXattr, buf)
		if got := string(buf[:max(n, 0)]); got != want {
			t.Errorf("%s: %q (%v), want %q", path, got, err, want)
		}
		info, err := os.Lstat(full)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm()&0o600 != 0o600 || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
			t.Errorf("%s: its mode on disk is %v", path, info.Mode())
		}
	}
	override := entries(t, pax(file("x"), "SCHILY.xattr.user.containers.override_stat", "0:0:4755", "SCHILY.xattr.user.containers.override_security.capability", netRaw))
	u, err = unpackInto(t, override, layertar.UnpackOptions{IDs: layertar.SingleID})
	if err != nil {
		t.Fatal(err)
	}
	if got := shapeOf(t, u.dir, layertar.SingleID); strings.Contains(got, "4755") || strings.Contains(got, "capability") {
		t.Errorf("an archive wrote the store's own attributes: %s", got)
	}
	if len(u.words) != 2 {
		t.Errorf("words: %q", u.words)
	}
}

func shapeOf(t *testing.T, dir string, ids layertar.IDs) string {
	t.Helper()
	var b bytes.Buffer
	if err := layertar.PackTree(context.Background(), &b, openDir(t, dir), ids); err != nil {
		t.Fatal(err)
	}
	return strings.Join(headers(t, b.Bytes()), "\n")
}

// TestNothingIsInherited: what the store's own directories hand down, groups and
// ACLs, is not for the files of an archive.
func TestNothingIsInherited(t *testing.T) {
	top := t.TempDir()
	if err := unix.Setxattr(top, "system.posix_acl_default", []byte(strings.Replace(acl, "\x07\x00\x00\x00", "\x00\x00\x00\x00", 1)), 0); err != nil {
		t.Fatal(err) // an ACL of uid 0, which every namespace with a root has
	}
	if err := os.Chmod(top, 0o755|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if unix.Geteuid() == 0 && machineRoot(t) {
		if err := os.Chown(top, 0, 60); err != nil {
			t.Fatal(err)
		}
	}
	tree := filepath.Join(top, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := layertar.Unpack(context.Background(), bytes.NewReader(entries(t, dir("d"), file("d/x"), file("y"), symlink("z", "y"))),
		openDir(t, tree), layertar.UnpackOptions{IDs: ids(), Codec: codecFor(t, t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	list, err := fstest.Snapshot(tree, fstest.SnapshotOptions{NoMtime: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range list {
		if strings.Contains(line, "posix_acl") || strings.Contains(line, ":60") || strings.Contains(line, "mode=2") {
			t.Error(line)
		}
	}
}

// TestWhiteoutDevice: a device 0:0 would be a whiteout on disk, and is taken as
// one where it isn't kept in an attribute.
func TestWhiteoutDevice(t *testing.T) {
	archive := entries(t, file("x"), "1", tar.Header{Typeflag: tar.TypeChar, Name: "x"}, tar.Header{Typeflag: tar.TypeChar, Name: "y"})
	if got, want := shape(t, unpack(t, archive)), map[layertar.IDs]string{layertar.RealIDs: ".wh.x .wh.y", layertar.SingleID: "x y"}[ids()]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
