package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"unionfs/bench"
)

// benchTargets are all that can be compared, whether they can work here or
// not: exe is our own program, more and peers are what --ours and --peer say.
func benchTargets(exe string, more, peers []string) ([]bench.Target, error) {
	fuse := overlayLike("fuse-overlayfs", findProgram("fuse-overlayfs"), nil)
	fuse.What, fuse.Engine = "fuse-overlayfs as root", podman("--storage-opt", "overlay.mount_program="+findProgram("fuse-overlayfs"))
	targets := []bench.Target{
		{Name: "native", What: "a plain directory with a copy of the lower tree", Native: true, Engine: bareRuntime()},
		kernelTarget("kernel", "the kernel's overlayfs with its own defaults", ""),
		kernelTarget("kernel-metacopy", "the kernel's overlayfs with metacopy, redirect_dir and index on", ",metacopy=on,redirect_dir=on,index=on"),
		fuse,
		unionfsFuse(),
		oursTarget("unionfs", exe, nil),
	}
	targets[1].Engine = podman()
	for i := range targets {
		if !realRoot() && !targets[i].Native {
			targets[i].Missing = "needs the machine's root"
		}
	}
	targets = append(targets, rootless(targets)...)
	for _, extra := range []struct {
		words []string
		make  func(name, program string, options []string) bench.Target
	}{{more, oursTarget}, {peers, overlayLike}} {
		for _, word := range extra.words {
			t, err := namedTarget(word, targets, extra.make)
			if err != nil {
				return nil, err
			}
			targets = append(targets, t)
		}
	}
	return targets, nil
}

// rootless are the targets that work in a user namespace, too.
func rootless(targets []bench.Target) (made []bench.Target) {
	for _, t := range targets {
		switch t.Name {
		case "kernel":
			t.What = "the kernel's overlayfs in a user namespace, with userxattr"
			t.Mount, t.Engine = kernelTarget("", "", ",userxattr").Mount, nil
		case "fuse-overlayfs":
			t.What, t.Engine = "fuse-overlayfs in a user namespace", nil
		case "unionfs":
			t.What = "unionfs in a user namespace"
		default:
			continue
		}
		t.Name, t.Namespace, t.Missing = t.Name+"-rootless", true, missingProgram(t.Mount[0])
		made = append(made, t)
	}
	return made
}

func kernelTarget(name, what, options string) bench.Target {
	return bench.Target{Name: name, What: what, Mount: []string{
		"mount", "-t", "overlay", "overlay", "-o", "lowerdir={lower},upperdir={upper},workdir={work}" + options, "{mount}",
	}}
}

// overlayLike is a program that is called like fuse-overlayfs.
func overlayLike(name, program string, options []string) bench.Target {
	return bench.Target{
		Name: name, What: program + optionsText(options), Missing: missingProgram(program), Version: programVersion(program),
		Mount: []string{program, "-o", overlayOptions(options), "{mount}"},
	}
}

func oursTarget(name, program string, options []string) bench.Target {
	return bench.Target{
		Name: name, What: "unionfs" + optionsText(options), Ours: true, Missing: missingProgram(program), Version: programVersion(program),
		Mount: []string{program, "mount", "-o", overlayOptions(options), "{mount}"},
		Engine: &bench.Engine{Name: "unionfs run", Missing: missingCommands(program),
			Prepare: [][]string{{program, "--root", "{dir}/store", "import", "{tar}", "bench"}},
			Start:   []string{program, "--root", "{dir}/store", "run", "--rm", "--network", "none", "bench", "true"}},
	}
}

// missingCommands says why a program of ours mounts and does nothing else.
func missingCommands(program string) string {
	if name := filepath.Base(program); (form{name: name}).standIn() {
		return "called " + name + ", unionfs only mounts: containers need a name that begins with unionfs"
	}
	return ""
}

func optionsText(options []string) string {
	if len(options) == 0 {
		return ""
	}
	return " with " + strings.Join(options, ",")
}

func overlayOptions(options []string) string {
	return strings.Join(append([]string{"lowerdir={lower},upperdir={upper},workdir={work}"}, options...), ",")
}

// unionfsFuse is Debian's unionfs-fuse, with the options that make it behave
// most like the others.
func unionfsFuse() bench.Target {
	program := findProgram("unionfs-fuse")
	return bench.Target{
		Name: "unionfs-fuse", What: "unionfs-fuse as root, copy-on-write", Missing: missingProgram(program), Version: programVersion(program),
		Mount: []string{program, "-o", "cow,use_ino,allow_other,default_permissions,suid,dev", "{branches}", "{mount}"},
	}
}

// podman with a store of its own, and the settings with which it works without
// systemd.
func podman(words ...string) *bench.Engine {
	call := slices.Concat([]string{"podman", "--root", "{dir}/root", "--runroot", "{dir}/run", "--storage-driver", "overlay"}, words,
		[]string{"--cgroup-manager", "cgroupfs", "--events-backend", "file"})
	return &bench.Engine{Name: "podman", Missing: missingProgram("podman"),
		Prepare: [][]string{{"sh", "-c", oneHierarchy}, append(slices.Clone(call), "import", "{tar}", "bench")},
		Start: append(slices.Clone(call), "run", "--rm", "--network", "none", "--log-driver", "k8s-file",
			"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "bench", "true"),
		Clear: [][]string{append(slices.Clone(call), "system", "reset", "--force")},
	}
}

// oneHierarchy helps crun, which doesn't take a second hierarchy of cgroups
// beside the first: in the worker's own mounts it can be taken away.
const oneHierarchy = "umount /sys/fs/cgroup/unified 2>/dev/null || true\n"

// bareRuntime starts a container in the lower tree itself: what is left when
// there is no image and no union.
func bareRuntime() *bench.Engine {
	script := oneHierarchy + `mkdir -p {dir}/bundle
cd {dir}/bundle
crun spec
sed -i 's,"terminal": true,"terminal": false,; s,"sh","/bin/true",; s,"path": "rootfs","path": "{rootfs}",' config.json`
	missing := missingProgram("crun")
	if missing == "" && !realRoot() {
		missing = "crun needs cgroups that it may change: the machine's root has them"
	}
	return &bench.Engine{Name: "crun", Missing: missing,
		Prepare: [][]string{{"sh", "-euc", script}},
		Start:   []string{"crun", "--root", "{dir}/crun", "--cgroup-manager", "cgroupfs", "run", "--bundle", "{dir}/bundle", "bench{number}"}}
}

// namedTarget reads NAME=PROGRAM[,OPTION…].
func namedTarget(word string, others []bench.Target, make func(name, program string, options []string) bench.Target) (t bench.Target, err error) {
	name, rest, found := strings.Cut(word, "=")
	parts := strings.Split(rest, ",")
	if !found || name == "" || parts[0] == "" {
		return t, usagef("%q isn't NAME=PROGRAM[,OPTION…]", word)
	}
	if slices.ContainsFunc(others, func(o bench.Target) bool { return o.Name == name }) {
		return t, usagef("%q: there is a target %s already", word, name)
	}
	program := findProgram(parts[0])
	if why := missingProgram(program); why != "" {
		return t, usagef("%q: %s", word, why)
	}
	return make(name, program, parts[1:]), nil
}

// findProgram is where a program is: mounts are made in another directory.
// One that isn't installed keeps its name.
func findProgram(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return name
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func missingProgram(name string) string {
	if _, err := exec.LookPath(name); err != nil {
		return filepath.Base(name) + " isn't installed"
	}
	return ""
}

// programVersion is the line with a number of what a program says to --version.
func programVersion(program string) string {
	out, _ := exec.Command(program, "--version").CombinedOutput() // some say it with a failure
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		if strings.Contains(strings.ToLower(line), "version") && strings.HasPrefix(line, strings.TrimSuffix(filepath.Base(program), "-fuse")) {
			return line
		}
	}
	return lines[0]
}
