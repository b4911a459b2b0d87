package main

import (
	"os"
	"strconv"

	"github.com/spf13/pflag"
)

// moreFlags are those of docker's and podman's run that say in other words what a
// container is asked for, or ask for what is so anyway.
type moreFlags struct {
	cpuQuota, cpuPeriod int64
	umask               string
	envHost             bool
	restart             string
	replace             bool
}

func (m *moreFlags) add(flags *pflag.FlagSet, r *runFlags) {
	s := &r.spec
	flags.Int64Var(&m.cpuQuota, "cpu-quota", 0, "microseconds of processors in each period: --cpus in other words")
	flags.Int64Var(&m.cpuPeriod, "cpu-period", 0, "that period in microseconds (default 100000)")
	flags.StringVar(&m.umask, "umask", "", "the program's file mode mask (default 0022)")
	flags.BoolVar(&m.envHost, "env-host", false, "give it all of this environment, below --env")
	flags.StringArrayVar(&s.UnsetEnv, "unsetenv", nil, "a variable of the image that it doesn't get")
	flags.BoolVar(&s.UnsetEnvAll, "unsetenv-all", false, "no variable of the image")
	flags.BoolVar(&s.NoHosts, "no-hosts", false, "leave the image's /etc/hosts as it is")
	flags.StringVar(&m.restart, "restart", "no", "no: nobody is there to start it again")
	flags.BoolVar(&m.replace, "replace", false, "remove the container that has its --name first")
	flags.Bool("no-healthcheck", false, "what is so anyway")
	flags.Bool("disable-content-trust", true, "what is so anyway")
	_ = flags.MarkHidden("disable-content-trust") // it is there
}

func (r *runFlags) readMore() error {
	m := &r.more
	if m.restart != "no" && m.restart != "" {
		return usagef("--restart=%s: there is no daemon that starts containers again: leave it out, and have a service manager run them (systemd: Restart=)", m.restart)
	}
	if m.replace && r.name == "" {
		return usagef("--replace: it is about the container that has the name, so say --name")
	}
	if m.umask != "" {
		mask, err := strconv.ParseUint(m.umask, 8, 9)
		if err != nil {
			return usagef("--umask=%s: an octal number is expected, as in 0027", m.umask)
		}
		n := uint32(mask)
		r.spec.Umask = &n
	}
	if m.envHost {
		r.spec.Env = append(os.Environ(), r.spec.Env...)
	}
	return m.readCPU(r)
}

// readCPU reads the kernel's words (CFS bandwidth control) for a number of processors.
func (m *moreFlags) readCPU(r *runFlags) error {
	switch {
	case m.cpuQuota == 0 && m.cpuPeriod == 0:
		return nil
	case r.spec.Resources.CPUs != 0:
		return usagef("--cpus=%g says what --cpu-quota and --cpu-period do: leave one of them out", r.spec.Resources.CPUs)
	case m.cpuPeriod != 0 && (m.cpuPeriod < 1000 || m.cpuPeriod > 1_000_000):
		return usagef("--cpu-period=%d: 1000 to 1000000 microseconds are expected", m.cpuPeriod)
	case m.cpuQuota == 0 || m.cpuQuota == -1: // a period without a quota limits nothing
		return nil
	case m.cpuQuota < 1000:
		return usagef("--cpu-quota=%d: 1000 microseconds or more are expected", m.cpuQuota)
	}
	period := m.cpuPeriod
	if period == 0 {
		period = 100_000
	}
	r.spec.Resources.CPUs = float64(m.cpuQuota) / float64(period)
	return nil
}
