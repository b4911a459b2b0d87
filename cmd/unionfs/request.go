package main

import (
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// request is a mount command line, read.
type request struct {
	*settings
	help, version bool
}

// words are the flags of a mount command line as typed.
type words struct {
	options       []string
	foreground    bool
	debug         bool
	single        bool
	help, version bool
}

// mountFlags are the flags of all forms but mount(8)'s. They are those of
// libfuse's programs, so that ours can be called in their place.
func mountFlags(flags *pflag.FlagSet, w *words) {
	flags.SortFlags = false
	flags.StringArrayVarP(&w.options, "options", "o", nil, "mount options, separated by commas; may be repeated")
	flags.BoolVarP(&w.foreground, "foreground", "f", false, "stay in the foreground")
	flags.BoolVarP(&w.debug, "debug", "d", false, "print every request, in the foreground")
	flags.BoolVarP(&w.single, "single", "s", false, "accepted for libfuse's sake, does nothing")
	flags.BoolVarP(&w.help, "help", "h", false, "this help")
	flags.BoolVarP(&w.version, "version", "V", false, "print the version")
}

// newRequest reads a mount command line in the form that decide found.
func newRequest(f form) (*request, error) {
	if f.kind == formHelper {
		return helperRequest(f)
	}
	var w words
	flags := newFlagSet()
	mountFlags(flags, &w)
	if err := flags.Parse(f.args); err != nil {
		return nil, usagef("%v; try %s --help", err, f.name)
	}
	r := &request{settings: newSettings(), help: w.help, version: w.version}
	if r.help || r.version {
		return r, nil
	}
	if w.debug {
		r.config.Debug = true
	}
	r.foreground = w.foreground || w.debug
	r.config.Source, r.config.Subtype = f.subtype(), f.subtype()
	return r, r.read(flags.Args(), w.options)
}

// newFlagSet answers errors instead of printing them.
func newFlagSet() *pflag.FlagSet {
	flags := pflag.NewFlagSet("mount", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	return flags
}

// helperRequest reads the command line that mount(8) gives to a helper:
// SOURCE TARGET [-sfnv] [-N namespace] [-o options] [-t type].
func helperRequest(f form) (*request, error) {
	var options []string
	var kind, namespace string
	var readonly bool
	r := &request{settings: newSettings()}
	flags := newFlagSet()
	flags.StringArrayVarP(&options, "options", "o", nil, "")
	flags.StringVarP(&kind, "type", "t", "", "")
	flags.StringVarP(&namespace, "namespace", "N", "", "")
	flags.BoolVarP(&r.fake, "fake", "f", false, "")
	flags.BoolVarP(&readonly, "read-only", "r", false, "")
	flags.BoolVarP(&r.help, "help", "h", false, "")
	flags.BoolVarP(&r.version, "version", "V", false, "")
	for _, name := range []string{"s", "n", "v", "w"} {
		flags.BoolP("ignored-"+name, name, false, "")
	}
	if err := flags.Parse(f.args); err != nil {
		return nil, usagef("%v; %s is called by mount(8)", err, f.name)
	}
	if r.help || r.version {
		return r, nil
	}
	if namespace != "" {
		return nil, usagef("mount --namespace isn't supported: enter the namespace with nsenter(1) first")
	}
	if readonly {
		options = append(options, "ro")
	}
	_, r.config.Subtype, _ = strings.Cut(kind, ".")
	return r, r.read(flags.Args(), options)
}

// read fills the request from the words that stand for directories and the
// arguments of -o.
func (r *request) read(positional, options []string) error {
	if err := r.target(positional); err != nil {
		return err
	}
	for _, words := range options {
		if err := r.apply(words); err != nil {
			return err
		}
	}
	return r.check()
}

// target reads TARGET or SOURCE TARGET.
func (r *request) target(words []string) (err error) {
	switch len(words) {
	case 0:
		return usagef("no target: say which directory to mount on, as in unionfs mount -o lowerdir=DIR TARGET")
	case 1:
	case 2:
		r.config.Source = words[0]
	default:
		return usagef("%d words where [SOURCE] TARGET is expected: %s", len(words), strings.Join(words, " "))
	}
	target := words[len(words)-1]
	if target == "" {
		return usagef("the target is an empty word: look for a variable that is not set")
	}
	if fd, ok, err := fuseDescriptor(target); ok || err != nil {
		r.config.Target, r.config.FD = target, fd
		return err
	}
	r.config.Target, err = absolute(target)
	return err
}

// check finds what the options lack or contradict, as far as words can tell.
func (r *request) check() error {
	c := &r.config.Union
	switch {
	case r.remount:
		return nil
	case len(c.Lower) == 0:
		return usagef("no layers: say which directories to stack with -o lowerdir=DIR[:DIR…]")
	case c.Upper != "" && c.Work == "":
		return usagef("upperdir=%s needs a workdir=: an empty directory on the same file system", c.Upper)
	case c.Upper == "" && c.Work != "":
		r.note("workdir=" + c.Work + " has no use without an upperdir; the mount is read-only")
		c.Work = ""
	}
	return nil
}
