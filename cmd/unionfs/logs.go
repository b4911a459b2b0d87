package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"unionfs/runner"
)

func logsCommand(f *storeFlags) *cobra.Command {
	var o runner.LogOptions
	var timestamps bool
	var tail, since, until string
	cmd := &cobra.Command{
		Use:   "logs CONTAINER",
		Short: "Show what a container has printed",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Tail, err = parseTail(tail); err != nil {
				return err
			}
			if o.Since, err = parseTime("--since", since); err != nil {
				return err
			}
			if o.Until, err = parseTime("--until", until); err != nil {
				return err
			}
			h, err := f.containers()
			if err != nil {
				return err
			}
			c, err := h.Runner.Find(args[0])
			if err != nil {
				return err
			}
			return h.Logs(cmd.Context(), &c, o, func(e runner.Entry) error {
				return printEntry(e, timestamps)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.Follow, "follow", "f", false, "go on until the container ends")
	flags.BoolVarP(&timestamps, "timestamps", "t", false, "say when each line was printed")
	flags.StringVarP(&tail, "tail", "n", "all", "how many lines from the end")
	flags.StringVar(&since, "since", "", "nothing older: a time (RFC 3339) or how long ago (10m)")
	flags.StringVar(&until, "until", "", "nothing newer, in the same way")
	return cmd
}

func parseTail(word string) (int, error) {
	if word == "all" {
		return -1, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 {
		return 0, usagef("--tail=%s: a number or all is expected", word)
	}
	return n, nil
}

func parseTime(flag, word string) (time.Time, error) {
	if word == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(word); err == nil {
		return time.Now().Add(-d), nil
	}
	if seconds, err := strconv.ParseInt(word, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(form, word); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%s=%s: a time as 2006-01-02T15:04:05Z, or how long ago as 10m, is expected", flag, word)
}

func printEntry(e runner.Entry, timestamps bool) error {
	w := os.Stdout
	if e.Stream == "stderr" {
		w = os.Stderr
	}
	text := e.Text
	if timestamps {
		text = e.At.Format(time.RFC3339Nano) + " " + text
	}
	if e.Whole {
		text += "\n"
	}
	_, err := fmt.Fprint(w, text)
	return err
}
