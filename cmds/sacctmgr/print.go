package sacctmgr

import (
	"strconv"
	"strings"
)

// field is a column as a listing has it.
type field struct {
	column
	width int
}

// fields makes the fields of a format: names with %WIDTH behind them perhaps. The
// first name that is no column is returned, in quotes.
func fields(names []string) (out []field, unknown string) {
	for _, word := range names {
		name, width, has := strings.Cut(word, "%")
		c := find(name)
		if c == nil || name == "" {
			return nil, "'" + strings.ToLower(name) + "'"
		}
		f := field{*c, c.width}
		if has {
			if n, err := strconv.Atoi(width); err == nil && n != 0 {
				f.width = n
			}
		}
		out = append(out, f)
	}
	return out, ""
}

// table prints rows under a header, as the options say.
func (c *call) table(out []field, rows []*row) {
	var b strings.Builder
	if !c.o.noHeader {
		c.header(&b, out)
	}
	for _, r := range rows {
		for i, f := range out {
			c.cell(&b, f.value(r), f.width, i == len(out)-1, false)
		}
		b.WriteByte('\n')
	}
	c.print("%s", b.String())
}

func (c *call) header(b *strings.Builder, out []field) {
	for i, f := range out {
		c.cell(b, f.header, f.width, i == len(out)-1, true)
	}
	b.WriteByte('\n')
	if c.o.parsable != 0 {
		return
	}
	for _, f := range out {
		b.WriteString(strings.Repeat("-", abs(f.width)))
		b.WriteByte(' ')
	}
	b.WriteByte('\n')
}

// cell prints a value in its column. What is too long is cut, and says so with a
// plus; a header is cut without.
func (c *call) cell(b *strings.Builder, value string, width int, last, header bool) {
	if c.o.parsable != 0 {
		b.WriteString(value)
		if !last || c.o.parsable == 1 {
			b.WriteByte('|')
		}
		return
	}
	w := abs(width)
	n := len([]rune(value))
	switch {
	case n > w && header:
		value, n = string([]rune(value)[:w]), w
	case n > w:
		value, n = string([]rune(value)[:w-1])+"+", w
	}
	if width > 0 {
		b.WriteString(strings.Repeat(" ", w-n))
	}
	b.WriteString(value)
	if width < 0 {
		b.WriteString(strings.Repeat(" ", w-n))
	}
	b.WriteByte(' ')
}

func abs(n int) int { return max(n, -n) }
