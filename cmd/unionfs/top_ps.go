package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"unionfs/runner"
)

// topByPS has ps(1) tell of a container's processes, as docker's top does.
func topByPS(cmd *cobra.Command, rows []runner.ProcessRow, options []string) error {
	if _, err := exec.LookPath("ps"); err != nil {
		return errors.New("top with options needs ps (Debian's procps): install it, or leave the options out")
	}
	var pids []string
	for _, r := range rows {
		pids = append(pids, strconv.Itoa(r.PID))
	}
	options = columnsOfPS(options)
	// Some options don't go with a list of processes (-e, f): these list all.
	text, err := askPS(append(slices.Clone(options), "-q", strings.Join(pids, ",")))
	if err != nil {
		if text, err = askPS(options); err != nil {
			return err
		}
	}
	lines, err := linesOf(text, pids)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(lines, "\n"))
	return err
}

func askPS(args []string) (string, error) {
	c := exec.Command("ps", args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return "", fmt.Errorf("ps %s: %w: %s", strings.Join(args, " "), err, first)
	}
	return stdout.String(), nil
}

// linesOf keeps the heading and the lines of those processes.
func linesOf(text string, pids []string) ([]string, error) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	at := slices.Index(strings.Fields(lines[0]), "PID")
	if at < 0 {
		return nil, usagef("what ps was told to show has no column PID, by which the container's processes are found: add it, as in -o pid,args")
	}
	return slices.DeleteFunc(lines, func(line string) bool {
		fields := strings.Fields(line)
		return len(fields) <= at || fields[at] != "PID" && !slices.Contains(pids, fields[at])
	}), nil
}

// psColumns are podman's words for columns which ps has too.
var psColumns = []string{"args", "comm", "etime", "group", "nice", "pcpu", "pgid", "pid", "ppid", "rss", "state", "time", "tty", "user", "vsz"}

// columnsOfPS makes words that are columns an option of ps.
func columnsOfPS(options []string) []string {
	words := strings.FieldsFunc(strings.Join(options, ","), func(r rune) bool { return r == ',' })
	if slices.ContainsFunc(words, func(word string) bool { return !slices.Contains(psColumns, word) }) {
		return options
	}
	return []string{"-o", strings.Join(words, ",")}
}
