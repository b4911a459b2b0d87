package main

import (
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
	"unicode"
)

// formatEscapes are those that docker's lists know outside of {{ }}, where a shell's
// words have them as they were typed.
var formatEscapes = strings.NewReplacer(`\t`, "\t", `\n`, "\n")

// printFormat prints rows with a template: aligned and below headings when it begins
// with the word table, as docker's does.
func printFormat[T any](w io.Writer, format string, rows []T, columns []column[T]) error {
	table, isTable := strings.CutPrefix(format, "table ")
	if !isTable {
		return printTemplate(w, formatEscapes.Replace(format), rows)
	}
	table = formatEscapes.Replace(strings.TrimSpace(table))
	t := tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)
	if err := printTemplate(t, table, []headings{headingsOf(columns)}); err != nil {
		return err
	}
	if err := printTemplate(t, table, rows); err != nil {
		return err
	}
	return t.Flush()
}

// headings are what stands above a row's fields, by their names.
type headings map[string]string

// Label stands above a label's value.
func (headings) Label(key string) string { return key }

func headingsOf[T any](columns []column[T]) headings {
	out := headings{}
	row := reflect.TypeFor[T]()
	add := func(name string) {
		title := heading(name)
		for _, c := range columns {
			if strings.HasSuffix(c.title, " "+title) {
				title = c.title // NAME of a volume is VOLUME NAME
				break
			}
		}
		out[name] = title
	}
	for i := range row.NumMethod() {
		add(row.Method(i).Name)
	}
	if row.Kind() == reflect.Struct {
		for _, f := range reflect.VisibleFields(row) {
			add(f.Name)
		}
	}
	return out
}

// heading is a field's name in capitals, with spaces between its words.
func heading(field string) string {
	var out strings.Builder
	for i, r := range field {
		if i > 0 && unicode.IsUpper(r) && unicode.IsLower(rune(field[i-1])) {
			out.WriteByte(' ')
		}
		out.WriteRune(unicode.ToUpper(r))
	}
	return out.String()
}
