package main

import (
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"strings"
	"text/tabwriter"
	"text/template"
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
		return printRowTemplate(w, formatEscapes.Replace(format), rows)
	}
	table = formatEscapes.Replace(strings.TrimSpace(table))
	t := tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)
	if err := printTemplate(t, table, []headings{headingsOf(columns)}); err != nil {
		return err
	}
	if err := printRowTemplate(t, table, rows); err != nil {
		return err
	}
	return t.Flush()
}

// printRowTemplate is printTemplate for rows of a list: as JSON a row has the names
// that templates know, as docker's rows have.
func printRowTemplate[T any](w io.Writer, format string, rows []T) error {
	words := maps.Clone(templateWords)
	words["json"] = func(v any) (string, error) {
		if row, ok := v.(T); ok {
			v = fieldsOf(row)
		}
		b, err := json.Marshal(v)
		return string(b), err
	}
	return executeEach(w, template.New("format").Funcs(words), format, rows)
}

// fieldsOf are a row's fields, and what its methods without arguments answer.
func fieldsOf[T any](row T) any {
	v := reflect.ValueOf(row)
	if v.Kind() != reflect.Struct {
		return row
	}
	out := map[string]any{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if f.IsExported() && !f.Anonymous {
			out[f.Name] = shownValue(v.FieldByIndex(f.Index).Interface())
		}
	}
	for i := range v.NumMethod() {
		if m := v.Method(i); m.Type().NumIn() == 0 && m.Type().NumOut() == 1 {
			out[v.Type().Method(i).Name] = shownValue(m.Call(nil)[0].Interface())
		}
	}
	return out
}

// shownValue is a value as a template prints it, where that isn't what JSON has.
func shownValue(v any) any {
	if n, ok := v.(byteSize); ok {
		return n.String()
	}
	return v
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
