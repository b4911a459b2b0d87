package main

import (
	"os"
	"strings"

	"unionfs/fs/union"
)

var layerOptions = []option{
	{name: "lowerdir", value: "DIR[:DIR…]", set: setLower,
		help: `read-only layers, the highest first; "\:" is a colon in a name, "\," a comma, "\\" a backslash`},
	{name: "lowerdir+", value: "DIR", set: addLower,
		help: "one more layer, below those named so far; a colon in it is just a colon"},
	{name: "upperdir", value: "DIR", set: setUpper,
		help: "the directory that takes all changes; without it the mount is read-only"},
	{name: "workdir", value: "DIR", set: setWork,
		help: "an empty directory on the file system of upperdir, for work in progress"},
	{name: "redirect_dir", value: "on|off|follow|nofollow", set: setRedirect,
		help: "renaming a lower directory: on (default) leaves a redirect in upper, off and follow only follow those that exist, nofollow not even that"},
	{name: "metacopy", value: "on|off", set: setMetacopy,
		help: "on (default): a change of metadata alone copies no data up"},
	{name: "index", value: "on|off", set: setIndex,
		help: "on (default): the names of a hard link stay one file when it is changed"},
	{name: "userxattr", set: setUserXattr,
		help: "keep overlay marks as user.overlay.* even where trusted.overlay.* could be written"},
}

// setLower takes the place of all layers named before, as mount(8) does with
// an option that is repeated.
func setLower(s *settings, value string) error {
	s.config.Union.Lower = nil
	if value == "" {
		return nil
	}
	for _, layer := range splitEscaped(value, ':') {
		if layer == "" {
			return usagef("lowerdir=%s names an empty layer: look for a colon too many or a variable that is not set", value)
		}
		if err := addLower(s, layer); err != nil {
			return err
		}
	}
	return nil
}

func addLower(s *settings, value string) error {
	dir, err := layerPath("lowerdir+", value)
	if err == nil {
		s.config.Union.Lower = append(s.config.Union.Lower, dir)
	}
	return err
}

func setUpper(s *settings, value string) (err error) {
	s.config.Union.Upper, err = layerPath("upperdir", value)
	return err
}

func setWork(s *settings, value string) (err error) {
	s.config.Union.Work, err = layerPath("workdir", value)
	return err
}

// layerPath makes a path as typed absolute, because the server leaves the
// caller's directory. It is joined and not cleaned: "link/.." means the parent
// of what link points at, which only the kernel can tell.
func layerPath(name, typed string) (string, error) {
	path := unescape(typed)
	if path == "" {
		return "", usagef("option %s needs a directory", name)
	}
	return absolute(path)
}

func absolute(path string) (string, error) {
	if strings.HasPrefix(path, "/") {
		return path, nil
	}
	cwd, err := os.Getwd()
	if err != nil {
		return "", usagef("%s is a relative path, and the current directory can't be told: %v", path, err)
	}
	return strings.TrimRight(cwd, "/") + "/" + path, nil
}

// setRedirect has the words of the kernel's overlayfs. There "off" makes no
// redirects but follows them, unless a module parameter says otherwise.
func setRedirect(s *settings, value string) error {
	modes := map[string]union.RedirectMode{
		"on": union.RedirectOn, "off": union.RedirectFollow,
		"follow": union.RedirectFollow, "nofollow": union.RedirectNoFollow,
	}
	mode, ok := modes[value]
	if !ok {
		return badValue("redirect_dir", value, "on, off, follow or nofollow")
	}
	s.config.Union.RedirectDir = mode
	return nil
}

func setMetacopy(s *settings, value string) error {
	on, err := parseSwitch("metacopy", value)
	s.config.Union.NoMetacopy = !on
	return err
}

func setIndex(s *settings, value string) error {
	on, err := parseSwitch("index", value)
	s.config.Union.NoIndex = !on
	return err
}

func setUserXattr(s *settings, _ string) error {
	s.config.Union.UserXattr = true
	return nil
}
