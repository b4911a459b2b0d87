package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/runner"
)

// runFlags are what run and create have in common, by docker's names.
type runFlags struct {
	spec       runner.Spec
	name       string
	entrypoint string
	envFiles   []string
	labels     []string
	labelFiles []string
	security   []string
	storage    storageFlags
	sysctls    []string
	memory     string
	swap       string
	shm        string
	oomAdj     int
	stopAfter  int
	pull       string
	platform   string
	cidfile    string
	network    string
	transfer   transferFlags
	more       moreFlags
	notes      []string // warnings, for the process that makes the container
}

func (r *runFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SetInterspersed(false) // flags behind the image are the program's
	s := &r.spec
	flags.StringVar(&s.Rootfs, "rootfs", "", "DIR[:O]: a directory instead of an image; with :O what is written is kept apart")
	flags.StringVar(&r.name, "name", "", "a name for the container")
	flags.BoolVarP(&s.Interactive, "interactive", "i", false, "keep its standard input open")
	flags.BoolVarP(&s.TTY, "tty", "t", false, "give it a terminal")
	flags.BoolVar(&s.Remove, "rm", false, "remove it when it ends")
	flags.BoolVar(&s.Init, "init", false, "run an init inside that reaps processes")
	flags.StringVar(&r.entrypoint, "entrypoint", "", "a program, or a JSON array of words, in place of the image's entrypoint; \"\" is none")
	flags.StringArrayVarP(&s.Env, "env", "e", nil, "KEY=VALUE, or KEY with this environment's value")
	flags.StringArrayVar(&r.envFiles, "env-file", nil, "a file of such lines")
	flags.StringVarP(&s.Dir, "workdir", "w", "", "its working directory")
	flags.StringVarP(&s.User, "user", "u", "", "USER|UID[:GROUP|GID]")
	flags.StringArrayVar(&s.Groups, "group-add", nil, "a further group")
	flags.StringVarP(&s.Hostname, "hostname", "h", "", "its host name")
	flags.StringVar(&s.Domainname, "domainname", "", "its domain name")
	flags.StringArrayVar(&s.AddHosts, "add-host", nil, "NAME:IP for its /etc/hosts; host-gateway is this machine's IP")
	flags.StringArrayVar(&s.DNS, "dns", nil, "a name server")
	flags.StringArrayVar(&s.DNSSearch, "dns-search", nil, "a search domain")
	flags.StringArrayVar(&s.DNSOptions, "dns-option", nil, "an option of resolv.conf")
	flags.StringArrayVar(&s.DNSOptions, "dns-opt", nil, "the same")
	_ = flags.MarkHidden("dns-opt") // it is there
	flags.StringArrayVarP(&r.labels, "label", "l", nil, "KEY=VALUE, kept with it")
	flags.StringArrayVar(&r.labelFiles, "label-file", nil, "a file of such lines")
	flags.BoolVar(&s.ReadOnly, "read-only", false, "let it not write to its root")
	flags.BoolVar(&s.Privileged, "privileged", false, "give it all privileges that this process has")
	flags.StringSliceVar(&s.CapAdd, "cap-add", nil, "a capability more, or ALL")
	flags.StringSliceVar(&s.CapDrop, "cap-drop", nil, "a capability less, or ALL")
	flags.StringArrayVar(&r.security, "security-opt", nil, "no-new-privileges, seccomp=FILE, seccomp=unconfined or systempaths=unconfined")
	flags.StringArrayVar(&s.Devices, "device", nil, "HOST[:CONTAINER[:rwm]]")
	flags.StringArrayVar(&s.Ulimits, "ulimit", nil, "NAME=SOFT[:HARD]")
	flags.StringArrayVar(&r.sysctls, "sysctl", nil, "KEY=VALUE of its namespaces")
	flags.StringVarP(&r.memory, "memory", "m", "", "how much memory it may use: 512m")
	flags.StringVar(&r.swap, "memory-swap", "", "memory and swap together; -1 is unlimited")
	flags.Float64Var(&s.Resources.CPUs, "cpus", 0, "how many processors it may use: 1.5")
	flags.Uint64VarP(&s.Resources.CPUShares, "cpu-shares", "c", 0, "its weight against others")
	flags.StringVar(&s.Resources.CpusetCPUs, "cpuset-cpus", "", "on which processors: 0-1")
	flags.Int64Var(&s.Resources.PIDs, "pids-limit", 0, "how many processes it may have; -1 is unlimited")
	flags.IntVar(&r.oomAdj, "oom-score-adj", 0, "how likely the kernel ends it for want of memory")
	flags.StringVar(&r.shm, "shm-size", "", "the size of /dev/shm (default 64m)")
	flags.StringVar(&s.PIDMode, "pid", "", "host or private (default)")
	flags.StringVar(&s.IPCMode, "ipc", "", "host, none or private (default)")
	flags.StringVar(&s.UTSMode, "uts", "", "host or private (default)")
	flags.StringVar(&s.UserMode, "userns", "", "host, map[:uids=IN-HOST-N;gids=IN-HOST-N], keep-id[:uid=N,gid=N] or auto[:size=N]")
	flags.StringVar(&s.CgroupMode, "cgroupns", "", "host or private (default)")
	flags.StringVar(&r.network, "network", "", "none, host or private (bridge; default, where pasta or slirp4netns is installed)")
	flags.StringVar(&r.network, "net", "", "the same")
	_ = flags.MarkHidden("net") // it is there
	flags.StringArrayVarP(&s.Publish, "publish", "p", nil, "[[IP:]HOST:]CONTAINER[/udp]: a port of a private network")
	flags.BoolVarP(&s.PublishAll, "publish-all", "P", false, "publish all exposed ports on free ones of this machine")
	flags.StringArrayVar(&s.Expose, "expose", nil, "PORT[-PORT][/udp]: a port that its programs listen on")
	r.storage.add(flags, s)
	flags.StringVar(&s.StopSignal, "stop-signal", "", "what asks it to end (default: the image's, or TERM)")
	flags.IntVar(&r.stopAfter, "stop-timeout", 10, "seconds until it is killed")
	flags.StringVar(&r.pull, "pull", "missing", "always, missing or never")
	flags.StringVar(&r.platform, "platform", "", "OS/ARCH[/VARIANT] of the image; another one in the store is pulled anew")
	flags.StringVar(&r.cidfile, "cidfile", "", "write its id to a file")
	flags.BoolVarP(&r.transfer.quiet, "quiet", "q", false, "show no progress of a pull")
	r.transfer.addRegistry(cmd)
	r.more.add(flags, r)
	// -h is the host name, as docker has it.
	flags.Bool("help", false, "this help")
}

// words are an image, which no directory stands for, and a command.
func (r *runFlags) words(cmd *cobra.Command, args []string) error {
	if r.spec.Rootfs != "" {
		return nil
	}
	return cobra.MinimumNArgs(1)(cmd, args)
}

// read makes the spec of the flags and the words.
func (r *runFlags) read(cmd *cobra.Command, args []string) error {
	s := &r.spec
	if s.Rootfs == "" {
		s.Image, args = args[0], args[1:]
	}
	s.Args = args
	if cmd.Flags().Changed("entrypoint") {
		entry, err := entrypointOf(r.entrypoint)
		if err != nil {
			return err
		}
		s.Entrypoint = &entry
	}
	if cmd.Flags().Changed("oom-score-adj") {
		s.Resources.OOMScoreAdj = &r.oomAdj
	}
	if cmd.Flags().Changed("stop-timeout") {
		d := time.Duration(r.stopAfter) * time.Second
		s.StopTimeout = &d
	}
	if r.pull != "always" && r.pull != "missing" && r.pull != "never" {
		return usagef("--pull=%s: always, missing or never is expected", r.pull)
	}
	for _, step := range []func() error{r.readEnv, r.readMore, r.readSizes, r.readLabels, r.readSecurity, r.readStorage, r.readNetwork, r.checkPlatform} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// checkPlatform refuses a platform that nothing would heed.
func (r *runFlags) checkPlatform() error {
	image := func(m runner.Mount) bool { return m.Type == runner.ImageMount }
	if r.platform != "" && r.spec.Rootfs != "" && !slices.ContainsFunc(r.spec.Mounts, image) {
		return usagef("--platform=%s: a directory (--rootfs=%s) is run as it is, and no image is mounted: leave it out", r.platform, r.spec.Rootfs)
	}
	return nil
}

// entrypointOf is one word, or several as a JSON array.
func entrypointOf(word string) ([]string, error) {
	entry := []string{}
	switch {
	case word == "":
	case strings.HasPrefix(word, "["):
		if err := json.Unmarshal([]byte(word), &entry); err != nil {
			return nil, usagef("--entrypoint=%s: a program, or a JSON array of words, is expected", word)
		}
	default:
		entry = append(entry, word)
	}
	return entry, nil
}

// readLines reads a file of flags' values, without comments.
func readLines(flag, file string) (out []string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) { // editors of other systems write it
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out, nil
}

func (r *runFlags) readEnv() (err error) {
	r.spec.Env, err = readEnvironment(r.envFiles, r.spec.Env)
	return err
}

// readEnvironment puts files below words, and fills in values of this environment.
func readEnvironment(files, words []string) (full []string, err error) {
	var env []string
	for _, file := range files {
		lines, err := readLines("--env-file", file)
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if name, _, _ := strings.Cut(line, "="); name == "" || strings.ContainsAny(name, " \t") {
				return nil, usagef("--env-file=%s: %q is no variable: KEY=VALUE or KEY is expected", file, line)
			}
		}
		env = append(env, lines...)
	}
	for _, word := range append(env, words...) {
		name, _, ok := strings.Cut(word, "=")
		if name == "" {
			return nil, usagef("--env=%s: KEY=VALUE is expected", word)
		}
		if !ok {
			value, set := os.LookupEnv(name)
			if !set {
				continue
			}
			word = name + "=" + value
		}
		full = append(full, word)
	}
	return full, nil
}

func (r *runFlags) readSizes() error {
	for _, size := range []struct {
		flag, word string
		into       *int64
	}{
		{"--memory", r.memory, &r.spec.Resources.Memory}, {"--memory-swap", r.swap, &r.spec.Resources.MemorySwap},
		{"--shm-size", r.shm, &r.spec.ShmSize},
	} {
		if size.word == "" {
			continue
		}
		if size.word == "-1" && size.flag == "--memory-swap" {
			*size.into = -1
			continue
		}
		n, err := units.RAMInBytes(size.word)
		// None is no limit, or the default, as docker has it.
		if err != nil || n < 0 {
			return usagef("%s=%s: a size is expected, as in 512m", size.flag, size.word)
		}
		*size.into = n
	}
	return nil
}

func (r *runFlags) readLabels() (err error) {
	var below []string
	for _, file := range r.labelFiles {
		lines, err := readLines("--label-file", file)
		if err != nil {
			return err
		}
		below = append(below, lines...)
	}
	r.labels = append(below, r.labels...)
	if r.spec.Labels, err = labelMap(r.labels); err != nil {
		return err
	}
	for _, word := range r.sysctls {
		key, value, ok := strings.Cut(word, "=")
		if !ok || key == "" {
			return usagef("--sysctl=%s: KEY=VALUE is expected", word)
		}
		if r.spec.Sysctls == nil {
			r.spec.Sysctls = map[string]string{}
		}
		r.spec.Sysctls[key] = value
	}
	return nil
}

func (r *runFlags) readSecurity() error {
	for _, word := range r.security {
		key, value, _ := strings.Cut(strings.Replace(word, ":", "=", 1), "=")
		switch {
		case key == "no-new-privileges" && (value == "" || value == "true" || value == "false"):
			r.spec.NoNewPrivs = value != "false"
		case key == "seccomp" && value == "unconfined":
			r.spec.Seccomp = value
		case key == "seccomp" && value != "":
			text, err := os.ReadFile(value)
			if err != nil {
				return fmt.Errorf("--security-opt=%s: %w", word, err)
			}
			r.spec.Seccomp = string(text)
		case key == "systempaths" && value == "unconfined":
			r.spec.Unmasked = true
		case key == "label" || key == "apparmor":
			r.notes = append(r.notes, "--security-opt="+word+" has no effect: no labels are set")
		default:
			return usagef("--security-opt=%s: no-new-privileges, seccomp=FILE, seccomp=unconfined or systempaths=unconfined is expected", word)
		}
	}
	return nil
}

// privateNetworks are docker's and podman's words for a network of a container's own
// with a way out.
var privateNetworks = []string{"bridge", "default", "slirp4netns", "pasta"}

// readNetwork decides what nobody has said: a private network where there is a
// helper for it.
func (r *runFlags) readNetwork() error {
	_, missing := runner.NetworkHelper()
	if slices.Contains(privateNetworks, r.network) {
		r.network = "private"
	}
	switch {
	case r.network == "" && missing == nil && canTun():
		r.spec.NetMode = "private"
	case r.network == "":
		r.spec.NetMode = "none"
	case r.network == "private" && missing != nil:
		return missing
	default:
		r.spec.NetMode = r.network
	}
	return nil
}

// canTun tells whether network helpers can make their interface.
func canTun() bool { return unix.Access("/dev/net/tun", unix.R_OK|unix.W_OK) == nil }
