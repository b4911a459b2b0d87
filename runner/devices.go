package runner

import (
	"fmt"
	"path"
	"strings"

	"unionfs/runner/sandbox"
)

// devices are the default ones and those asked for: HOST[:CONTAINER[:rwm]]. A
// directory of the host brings all nodes in it. With all privileges of the
// machine's root come all of its devices.
func (s *Spec) devices(f Facts) ([]sandbox.Device, error) {
	out := append([]sandbox.Device(nil), defaultDevices...)
	if own, err := s.ownIDs(f); s.Privileged && f.InitialUserNS && err == nil && len(own.UIDs) == 0 {
		out = append(out, sandbox.Device{Source: "/dev", Path: "/dev", Access: "rwm"})
	}
	for _, word := range s.Devices {
		d, err := ParseDevice(word)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// ParseDevice reads the words; the numbers of the node are found when it is
// made (sandbox.Device.Source).
func ParseDevice(word string) (sandbox.Device, error) {
	parts := strings.Split(word, ":")
	d := sandbox.Device{Source: parts[0], Path: parts[0], Access: "rwm"}
	switch len(parts) {
	case 1:
	case 2:
		if isAccess(parts[1]) {
			d.Access = parts[1]
		} else {
			d.Path = parts[1]
		}
	case 3:
		d.Path, d.Access = parts[1], parts[2]
	}
	if len(parts) > 3 || !path.IsAbs(d.Source) || !path.IsAbs(d.Path) || !isAccess(d.Access) {
		return d, fmt.Errorf("--device=%s: HOST[:CONTAINER[:rwm]] is expected, as in /dev/fuse", word)
	}
	return d, nil
}

func isAccess(word string) bool { return word != "" && strings.Trim(word, "rwm") == "" }
