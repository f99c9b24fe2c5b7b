package sacctmgr

import (
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
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
			c.cell(&b, f.value(r), f, i == len(out)-1, false)
		}
		b.WriteByte('\n')
	}
	c.print("%s", b.String())
}

func (c *call) header(b *strings.Builder, out []field) {
	for i, f := range out {
		c.cell(b, f.header, f, i == len(out)-1, true)
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

// cell prints a value in its column, or with header set what stands above it, which is cut
// without a sign of it.
func (c *call) cell(b *strings.Builder, value string, f field, last, header bool) {
	if c.o.parsable != 0 {
		b.WriteString(value)
		if !last || c.o.parsable == 1 {
			b.WriteByte('|')
		}
		return
	}
	kind := f.kind
	if header {
		kind = slurm.AcctMoment
	}
	b.WriteString(kind.Pad(value, abs(f.width), f.width < 0))
	b.WriteByte(' ')
}

func abs(n int) int { return max(n, -n) }
