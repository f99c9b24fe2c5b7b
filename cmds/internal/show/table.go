package show

import (
	"bufio"
	"cmp"
	"slices"
	"strings"

	"github.com/runink/rink/slurm"
)

// Column is one column of a table whose rows are of type R, seen by a view of
// type V.
type Column[V, R any] struct {
	Letter byte     // of -o, 0 when it has none
	Names  []string // of -O; any case of letters is taken
	Header string
	Value  func(v V, r R) string
	// Compare is the order of rows by this column; nil: by the text of the value.
	Compare func(v V, a, b R) int
	// Whole says that a right justified value is not cut at the column's width, as
	// Slurm has it for lists of nodes.
	Whole bool
	// Words says that what stands in parentheses is no such list, and is cut.
	Words bool
	// WholeHeader says so of the header, and Star that a * at the end of a value
	// is kept when the value is cut.
	WholeHeader, Star bool
}

// piece is a column as a format asks for it.
type piece[V, R any] struct {
	column *Column[V, R] // nil: text alone
	width  int
	right  bool
	after  string
}

// Table is a format made ready to print rows.
type Table[V, R any] struct{ pieces []piece[V, R] }

// Letters makes a table of a format such as "%.18i %9P". What is no column of
// it is printed as it is written, as in Slurm, and its letter returned.
func Letters[V, R any](columns []Column[V, R], format string) (t Table[V, R], unknown []string) {
	if strings.EqualFold(format, "%all") {
		return All(columns), nil
	}
	for _, p := range slurm.ParseLetters(format) {
		if p.Spec == "" {
			t.pieces = append(t.pieces, piece[V, R]{after: p.After})
			continue
		}
		c := byLetter(columns, p.Letter)
		if c == nil {
			letter := ""
			if p.Letter != 0 {
				letter = string(rune(p.Letter))
			}
			unknown = append(unknown, letter)
			t.pieces = append(t.pieces, piece[V, R]{after: p.Spec})
			continue
		}
		t.pieces = append(t.pieces, piece[V, R]{c, p.Width, p.Right, p.After})
	}
	return t, unknown
}

// Bare is the table without what is no column of it.
func (t Table[V, R]) Bare() Table[V, R] {
	out := Table[V, R]{}
	for _, p := range t.pieces {
		if p.column != nil || !strings.HasPrefix(p.after, "%") {
			out.pieces = append(out.pieces, p)
		}
	}
	return out
}

// All is the format %all: every letter there is, separated by bars.
func All[V, R any](columns []Column[V, R]) (t Table[V, R]) {
	for _, span := range []string{"az", "AZ"} {
		for letter := span[0]; letter <= span[1]; letter++ {
			if c := byLetter(columns, letter); c != nil {
				t.pieces = append(t.pieces, piece[V, R]{column: c, after: "|"})
			}
		}
	}
	if n := len(t.pieces); n > 0 {
		t.pieces[n-1].after = ""
	}
	return t
}

// Names makes a table of a format such as "jobid:10,name:.8#". Names that are no
// column are left out and returned.
func Names[V, R any](columns []Column[V, R], format string) (t Table[V, R], unknown []string) {
	for _, f := range slurm.ParseNames(format) {
		c := byName(columns, f.Name)
		if c == nil {
			unknown = append(unknown, f.Name)
			continue
		}
		t.pieces = append(t.pieces, piece[V, R]{c, f.Width, f.Right, f.After})
	}
	return t, unknown
}

func byLetter[V, R any](columns []Column[V, R], letter byte) *Column[V, R] {
	i := slices.IndexFunc(columns, func(c Column[V, R]) bool { return letter != 0 && c.Letter == letter })
	if i < 0 {
		return nil
	}
	return &columns[i]
}

func byName[V, R any](columns []Column[V, R], name string) *Column[V, R] {
	i := slices.IndexFunc(columns, func(c Column[V, R]) bool {
		return slices.ContainsFunc(c.Names, func(n string) bool { return strings.EqualFold(n, name) })
	})
	if i < 0 {
		return nil
	}
	return &columns[i]
}

// Shows reports whether a column with one of these headers is in the table.
func (t *Table[V, R]) Shows(headers ...string) bool {
	return slices.ContainsFunc(t.pieces, func(p piece[V, R]) bool {
		return p.column != nil && slices.Contains(headers, p.column.Header)
	})
}

// Has reports whether the column of that letter or of one of these names is in
// the table.
func (t *Table[V, R]) Has(letter byte, names []string) bool {
	return slices.ContainsFunc(t.pieces, func(p piece[V, R]) bool {
		return p.column != nil && p.column.Letter == letter && slices.Equal(p.column.Names, names)
	})
}

// Widen makes every column with one of these headers that has a width at least
// that wide.
func (t *Table[V, R]) Widen(width int, headers ...string) {
	for i, p := range t.pieces {
		if p.column != nil && p.width > 0 && p.width < width && slices.Contains(headers, p.column.Header) {
			t.pieces[i].width = width
		}
	}
}

// SpaceAfter puts a blank behind the columns with a letter from first to last.
func (t *Table[V, R]) SpaceAfter(first, last byte) {
	for i, p := range t.pieces {
		if p.column != nil && first <= p.column.Letter && p.column.Letter <= last {
			t.pieces[i].after = " " + p.after
		}
	}
}

// Header prints the line of headers.
func (t *Table[V, R]) Header(w *bufio.Writer) {
	for _, p := range t.pieces {
		if p.column != nil {
			pad(w, p.column.Header, p.width, p.right, p.column.WholeHeader)
		}
		w.WriteString(p.after)
	}
	w.WriteByte('\n')
}

// Row prints one row.
func (t *Table[V, R]) Row(w *bufio.Writer, v V, r R) {
	for _, p := range t.pieces {
		if p.column != nil {
			value := p.column.Value(v, r)
			if p.column.Star && p.width > 0 && len(value) > p.width && strings.HasSuffix(value, "*") {
				value = value[:p.width-1] + "*"
			}
			pad(w, value, p.width, p.right, p.column.Whole && !(p.column.Words && strings.HasPrefix(value, "(")))
		}
		w.WriteString(p.after)
	}
	w.WriteByte('\n')
}

// pad prints a value in its column. It is slurm.Pad, without making a string of
// it, and with lists of nodes left whole.
func pad(w *bufio.Writer, value string, width int, right, whole bool) {
	n := len(value)
	if width > 0 && n > 0 && !ascii(value) {
		w.WriteString(slurm.Pad(value, width, right))
		return
	}
	switch {
	case width <= 0:
		w.WriteString(value)
	case n > width && right && whole:
		w.WriteString(value)
	case n > width && value == Null && !right: // what C makes of it
		for range width {
			w.WriteByte(' ')
		}
	case n > width:
		w.WriteString(value[:width])
	default:
		if !right {
			w.WriteString(value)
		}
		for range width - n {
			w.WriteByte(' ')
		}
		if right {
			w.WriteString(value)
		}
	}
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Sort sorts rows by the letters of keys, the first of them counting most; rows
// that are alike stay in the order they are in. A letter that is no column is
// returned and does not sort; a # in front of a letter asks for the order that
// ranks tells of, where there is one.
func Sort[V, R any](columns []Column[V, R], v V, rows []R, keys []slurm.SortKey, ranks map[string]func(V, R, R) int) (unknown []string) {
	type order struct {
		compare    func(v V, a, b R) int
		descending bool
	}
	var orders []order
	for _, k := range keys {
		if f := ranks[k.Name]; f != nil {
			orders = append(orders, order{f, k.Descending})
			continue
		}
		var c *Column[V, R]
		if len(k.Name) == 1 {
			c = byLetter(columns, k.Name[0])
		}
		if c == nil {
			unknown = append(unknown, k.Name)
			continue
		}
		compare := c.Compare
		if compare == nil {
			compare = func(v V, a, b R) int { return strings.Compare(c.Value(v, a), c.Value(v, b)) }
		}
		orders = append(orders, order{compare, k.Descending})
	}
	slices.SortStableFunc(rows, func(a, b R) int {
		for _, o := range orders {
			n := o.compare(v, a, b)
			if o.descending {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
	return unknown
}

// By is an order of rows by a number or another value that has an order.
func By[V, R any, K cmp.Ordered](key func(v V, r R) K) func(v V, a, b R) int {
	return func(v V, a, b R) int { return cmp.Compare(key(v, a), key(v, b)) }
}
