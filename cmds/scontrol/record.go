package scontrol

import "strings"

// record is one record of a listing as it is being written: lines of KEY=VALUE,
// or a single line of them.
type record struct {
	b   strings.Builder
	end string // what begins a new line
	one bool
}

func newRecord(oneLine bool) *record {
	r := &record{end: "\n   ", one: oneLine}
	if oneLine {
		r.end = " "
	}
	return r
}

// put adds pairs to the present line: a key, its value, and so on.
func (r *record) put(pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			r.b.WriteByte(' ')
		}
		r.b.WriteString(pairs[i])
		r.b.WriteByte('=')
		r.b.WriteString(pairs[i+1])
	}
}

// line begins a new line with pairs.
func (r *record) line(pairs ...string) {
	r.b.WriteString(r.end)
	r.put(pairs...)
}

// text adds text as it is.
func (r *record) text(s string) { r.b.WriteString(s) }

// close ends the record: with a blank line behind it, or just its line.
func (r *record) close() string {
	if r.one {
		r.b.WriteByte('\n')
	} else {
		r.b.WriteString("\n\n")
	}
	return r.b.String()
}
