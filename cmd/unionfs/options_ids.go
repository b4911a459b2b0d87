package main

import (
	"math"
	"strconv"
	"strings"

	"unionfs/fs/union"
)

var idOptions = []option{
	{name: "uidmapping", value: "H:C:N[:H:C:N…]", set: setUIDMap,
		help: "owners H, H+1 … (N of them) of the layers' files show as C, C+1 …"},
	{name: "gidmapping", value: "H:C:N[:H:C:N…]", set: setGIDMap,
		help: "the same for groups"},
	{name: "squash_to_root", set: squashToRoot,
		help: "everything belongs to user 0 and group 0"},
	{name: "squash_to_uid", value: "UID", set: squashToUID,
		help: "everything belongs to user UID"},
	{name: "squash_to_gid", value: "GID", set: squashToGID,
		help: "everything belongs to group GID"},
	{name: "xattr_permissions", value: "0|1|2", set: setXattrPermissions,
		help: "1 or 2: keep owner, mode and type in the extended attribute user.containers.override_stat instead of the file itself, for those who may not chown"},
	{name: "noxattrs", value: "0|1", alone: true, set: setNoXattrs,
		help: "no extended attributes at all"},
	{name: "noacl", set: setNoACL,
		help: "no POSIX access control lists"},
	{name: "static_nlink", set: setStaticNlink,
		help: "every directory shows one link; saves counting subdirectories"},
	{name: "ino32_t", set: setIno32,
		help: "inode numbers fit 32 bits, for old programs"},
}

func setUIDMap(s *settings, value string) (err error) {
	s.config.Union.UIDMap, err = parseMap("uidmapping", value)
	return err
}

func setGIDMap(s *settings, value string) (err error) {
	s.config.Union.GIDMap, err = parseMap("gidmapping", value)
	return err
}

// parseMap reads triples of host id, container id and count. podman puts a
// colon in front of every triple, hence colons at either end are nothing.
func parseMap(name, value string) ([]union.IDRange, error) {
	numbers := strings.Split(strings.Trim(value, ":"), ":")
	if len(numbers)%3 != 0 {
		return nil, badValue(name, value, "triples HOST:CONTAINER:COUNT with colons between")
	}
	var ranges []union.IDRange
	for i := 0; i < len(numbers); i += 3 {
		r, err := parseRange(name, numbers[i:i+3])
		if err != nil {
			return nil, err
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

func parseRange(name string, triple []string) (r union.IDRange, err error) {
	for i, field := range []*uint32{&r.Host, &r.Container, &r.Count} {
		if *field, err = parseID(name, triple[i]); err != nil {
			return r, err
		}
	}
	text := strings.Join(triple, ":")
	if r.Count == 0 {
		return r, badValue(name, text, "a count of at least 1")
	}
	// 2^32-1 is no id: chown(2) reads it as "leave alone".
	last := uint64(max(r.Host, r.Container)) + uint64(r.Count) - 1
	if last >= math.MaxUint32 {
		return r, badValue(name, text, "a range that ends below 4294967295")
	}
	return r, nil
}

func parseID(name, text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, badValue(name, text, "a number from 0 to 4294967295")
	}
	return uint32(n), nil
}

func squashToRoot(s *settings, _ string) error {
	var uid, gid uint32
	s.config.Union.SquashUID, s.config.Union.SquashGID = &uid, &gid
	return nil
}

func squashToUID(s *settings, value string) error {
	id, err := parseID("squash_to_uid", value)
	s.config.Union.SquashUID = &id
	return err
}

func squashToGID(s *settings, value string) error {
	id, err := parseID("squash_to_gid", value)
	s.config.Union.SquashGID = &id
	return err
}

func setXattrPermissions(s *settings, value string) error {
	mode, err := strconv.Atoi(value)
	if err != nil || mode < 0 || mode > 2 {
		return badValue("xattr_permissions", value, "0, 1 or 2")
	}
	s.config.Union.XattrPermissions = mode
	return nil
}

func setNoXattrs(s *settings, value string) (err error) {
	s.config.Union.NoXattrs, err = parseSwitch("noxattrs", value)
	return err
}

func setNoACL(s *settings, _ string) error {
	s.config.Union.NoACL = true
	return nil
}

func setStaticNlink(s *settings, _ string) error {
	s.config.Union.StaticNlink = true
	return nil
}

func setIno32(s *settings, _ string) error {
	s.config.Union.Ino32 = true
	return nil
}
