package runner

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// In a user namespace with one id, programs that change theirs, or an owner,
// fail, although there is nothing to gain or to lose: package managers do it all
// the time. So such calls do nothing there, and succeed. Files of the image keep
// the owners that the image gives them, and all that is new is root's.

// idCalls are the calls that do nothing.
var idCalls = []string{
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid",
	"chown", "fchown", "lchown", "fchownat", "chown32", "fchown32", "lchown32",
	"setuid32", "setgid32", "setreuid32", "setregid32", "setresuid32", "setresgid32", "setgroups32", "setfsuid32", "setfsgid32",
}

// withoutIDs changes a seccomp profile in docker's form so that idCalls answer 0
// and do nothing. A nil profile allows all else.
func withoutIDs(profile []byte) ([]byte, error) {
	p := map[string]any{"defaultAction": "SCMP_ACT_ALLOW"}
	if profile != nil {
		if err := json.Unmarshal(profile, &p); err != nil {
			return nil, fmt.Errorf("the seccomp profile: %w", err)
		}
	}
	rules, _ := p["syscalls"].([]any)
	for _, rule := range rules {
		r, ok := rule.(map[string]any)
		if !ok {
			continue
		}
		names, _ := r["names"].([]any)
		r["names"] = slices.DeleteFunc(names, func(name any) bool {
			word, _ := name.(string)
			return slices.Contains(idCalls, word)
		})
	}
	p["syscalls"] = append(rules, map[string]any{"names": idCalls, "action": "SCMP_ACT_ERRNO", "errnoRet": 0})
	return json.Marshal(p)
}

// aptConfig keeps apt from checking that it is another user after it has become
// one. It stands where no layer is.
const (
	aptConfigPath = "/dev/.one-id-apt.conf"
	aptConfig     = "APT::Sandbox::User \"root\";\n"
)

// alone makes an identity of one that is to be had where there is one id. A user
// that the image names becomes root, which here is who runs the container; one
// that was asked for is an error.
func (s *Spec) alone(id identity) (identity, error) {
	if s.User != "" && (id.uid != 0 || id.gid != 0) {
		return id, fmt.Errorf("--user=%s: this user namespace has one id alone, which is 0 in it (a range in /etc/subuid and /etc/subgid, and newuidmap, would give more)", s.User)
	}
	if slices.ContainsFunc(id.added, func(g int) bool { return g != 0 }) {
		return id, fmt.Errorf("--group-add=%s: this user namespace has one group alone, which is 0 in it (a range in /etc/subgid, and newgidmap, would give more)", strings.Join(s.Groups, ","))
	}
	id.uid, id.gid, id.groups = 0, 0, nil
	return id, nil
}
