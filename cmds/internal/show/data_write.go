package show

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// Documents are written in one pass over what they are made of: encoding/json reads again, at
// every level, what an object's own method has written below it.

// flushAt is how much of a document is kept before it goes out.
const flushAt = 1 << 16

// writer writes a document as JSON or YAML.
type writer struct {
	w    io.Writer
	b    []byte
	yaml bool
	err  error
}

// writeDocument writes a whole document.
func writeDocument(w io.Writer, doc Object, yaml bool) error {
	out := writer{w: w, yaml: yaml}
	if yaml {
		out.b = append(out.b, "---\n"...)
		out.yamlValue(reflect.ValueOf(doc), 0, false)
		out.b = append(out.b, "...\n"...)
	} else {
		out.jsonValue(reflect.ValueOf(doc), 0)
		out.b = append(out.b, '\n')
	}
	out.flush()
	return out.err
}

func (o *writer) flush() {
	if o.err == nil && len(o.b) > 0 {
		_, o.err = o.w.Write(o.b)
	}
	o.b = o.b[:0]
}

var objectType = reflect.TypeFor[Object]()

// children says how many members an object or entries a list has, and which of them it is; ok is false
// for what is neither.
func children(v reflect.Value) (n int, object, ok bool) {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return 0, false, false
	}
	return v.Len(), v.Type() == objectType, true
}

func plain(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

// scalar writes text, a number, a truth value or nothing.
func (o *writer) scalar(v reflect.Value) {
	if !v.IsValid() {
		o.b = append(o.b, "null"...)
		return
	}
	switch v.Kind() {
	case reflect.String:
		o.b = appendText(o.b, v.String())
	case reflect.Bool:
		o.b = strconv.AppendBool(o.b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		o.b = strconv.AppendInt(o.b, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		o.b = strconv.AppendUint(o.b, v.Uint(), 10)
	default:
		text, err := json.Marshal(v.Interface())
		if err != nil && o.err == nil {
			o.err = err
		}
		o.b = append(o.b, text...)
	}
}

// appendText writes a text in quotes, as both forms read it.
func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			var buf bytes.Buffer
			e := json.NewEncoder(&buf)
			e.SetEscapeHTML(false)
			if e.Encode(s) == nil {
				return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
			}
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

const blanks = "                                                                "

func (o *writer) indent(depth int) {
	for n := 2 * depth; n > 0; n -= len(blanks) {
		o.b = append(o.b, blanks[:min(n, len(blanks))]...)
	}
}

func (o *writer) jsonValue(v reflect.Value, depth int) {
	n, object, ok := children(v)
	v = plain(v)
	if !ok {
		o.scalar(v)
		return
	}
	open, end := byte('['), byte(']')
	if object {
		open, end = '{', '}'
	}
	o.b = append(o.b, open)
	for i := range n {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(o.b, '\n')
		o.indent(depth + 1)
		entry := v.Index(i)
		if object {
			o.b = append(appendText(o.b, entry.Field(0).String()), ": "...)
			entry = entry.Field(1)
		}
		o.jsonValue(entry, depth+1)
		if len(o.b) > flushAt {
			o.flush()
		}
	}
	if n > 0 {
		o.b = append(o.b, '\n')
		o.indent(depth)
	}
	o.b = append(o.b, end)
}

// yamlValue writes a value in block style. inline says that something stands before it on the line.
func (o *writer) yamlValue(v reflect.Value, depth int, inline bool) {
	n, object, ok := children(v)
	v = plain(v)
	if !ok || n == 0 {
		if inline {
			o.b = append(o.b, ' ')
		}
		switch {
		case !ok:
			o.scalar(v)
		case object:
			o.b = append(o.b, "{}"...)
		default:
			o.b = append(o.b, "[]"...)
		}
		o.b = append(o.b, '\n')
		return
	}
	if inline {
		o.b = append(o.b, '\n')
	}
	for i := range n {
		o.indent(depth)
		entry := v.Index(i)
		if object {
			o.b = append(append(o.b, strings.TrimSpace(entry.Field(0).String())...), ':')
			entry = entry.Field(1)
		} else {
			o.b = append(o.b, '-')
		}
		o.yamlValue(entry, depth+1, true)
		if len(o.b) > flushAt {
			o.flush()
		}
	}
}
