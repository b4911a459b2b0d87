package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// output is how a command's answer is printed: a table for people, JSON or a
// template for programs.
type output struct {
	json    bool
	format  string
	quiet   bool
	noTrunc bool
}

func (o *output) add(cmd *cobra.Command) { o.addWith(cmd, "") }

func (o *output) addWith(cmd *cobra.Command, short string) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().StringVarP(&o.format, "format", short, "", "print with a Go template, one line a row; \"json\" is JSON")
}

// addInspect is add with docker's short form, which is a filter's where things are
// listed.
func (o *output) addInspect(cmd *cobra.Command) { o.addWith(cmd, "f") }

func (o *output) addTable(cmd *cobra.Command) {
	o.add(cmd)
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print ids alone")
	cmd.Flags().BoolVar(&o.noTrunc, "no-trunc", false, "print ids and commands whole")
}

// column is one column of a table.
type column[T any] struct {
	title string
	cell  func(T) string
}

// printRows prints rows in the way that o says; id is what --quiet shows.
func printRows[T any](w io.Writer, o *output, rows []T, id func(T) string, columns []column[T]) error {
	switch {
	case o.json || o.format == "json":
		if rows == nil {
			rows = []T{}
		}
		return printJSON(w, rows)
	case o.format != "" && o.format != "table":
		return printFormat(w, o.format, rows, columns)
	case o.quiet:
		for _, row := range rows {
			fmt.Fprintln(w, id(row))
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)
	var titles []string
	for _, c := range columns {
		titles = append(titles, c.title)
	}
	fmt.Fprintln(t, strings.Join(titles, "\t"))
	for _, row := range rows {
		var cells []string
		for _, c := range columns {
			cells = append(cells, c.cell(row))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "    ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func printTemplate[T any](w io.Writer, format string, rows []T, options ...string) error {
	return executeEach(w, template.New("format").Option(options...).Funcs(templateWords), format, rows)
}

func executeEach[T any](w io.Writer, t *template.Template, format string, rows []T) error {
	t, err := t.Parse(format)
	if err != nil {
		return usagef("--format: %v", err)
	}
	for _, row := range rows {
		if err := t.Execute(w, row); err != nil {
			return fmt.Errorf("--format: %w", err)
		}
		fmt.Fprintln(w)
	}
	return nil
}

// templateWords are docker's.
var templateWords = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	"join":  strings.Join,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"split": strings.Split,
}

// byteSize is a number of bytes: for people in templates, a number in JSON.
type byteSize int64

func (n byteSize) String() string { return size(int64(n)) }

func size(n int64) string { return humanize.Bytes(uint64(max(n, 0))) }

func ago(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return "N/A"
	}
	return humanize.Time(t)
}

// dockerTime is a time as docker's lists have it.
func dockerTime(t time.Time) string { return t.Format("2006-01-02 15:04:05 -0700 MST") }

// cut shortens a text for a table.
func (o *output) cut(s string, n int) string {
	s = strings.ReplaceAll(s, "\n", " ")
	r := []rune(s)
	if o.noTrunc || len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// isTerminal tells whether people look at f. Not all devices with characters are
// terminals: /dev/null is none.
func isTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

func isTerminalWriter(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}
