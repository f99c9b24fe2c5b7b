package slurm

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWidth is the widest column that can be asked for.
const maxWidth = 1 << 16

// LetterPiece is one piece of a format of letters, as squeue -o and sinfo -o take
// it: a column with the text behind it, or at the very beginning, text alone.
type LetterPiece struct {
	Letter byte   // 0: no column; Spec tells text alone from a % with nothing behind it
	Width  int    // 0: as wide as the value
	Right  bool   // right justified
	After  string // text to print behind the column, as it stands
	Spec   string // the piece as written, from its % on; "" for text alone
}

// ParseLetters cuts a format such as "%.18i %9P" into its pieces: %[.][width]letter
// and the text between. Percent signs in a row count as one and one at the end as
// none, as in Slurm, so that "%%i" is the column i. Which letters there are is
// the command's to say: a byte that can be none, and the 0 of a % without any,
// are pieces too, for it to refuse.
func ParseLetters(format string) []LetterPiece {
	var out []LetterPiece
	text, rest, more := strings.Cut(format, "%")
	if text != "" {
		out = append(out, LetterPiece{After: text})
	}
	for more {
		var spec string
		spec, rest, more = strings.Cut(rest, "%")
		if spec == "" {
			continue
		}
		p := LetterPiece{Spec: "%" + spec}
		if spec[0] == '.' {
			p.Right = true
			spec = spec[1:]
		}
		n := digits(spec)
		p.Width = columnWidth(spec[:n])
		if spec = spec[n:]; spec != "" {
			p.Letter, p.After = spec[0], spec[1:]
		}
		out = append(out, p)
	}
	return out
}

// columnWidth reads a width; too large a one is the largest there is.
func columnWidth(digits string) int {
	if digits == "" {
		return 0
	}
	n, ok := parseUint(digits, maxWidth)
	if !ok {
		return maxWidth
	}
	return int(n)
}

// String prints the piece so that ParseLetters reads it back.
func (p LetterPiece) String() string { return p.Spec + p.textAlone() }

func (p LetterPiece) textAlone() string {
	if p.Spec == "" {
		return p.After
	}
	return ""
}

// NameField is one column of a format of names, as squeue -O and sinfo -O take it.
type NameField struct {
	Name  string // as written
	Width int    // 0: as wide as the value
	Right bool
	After string // text to print behind the column
}

// DefaultNameWidth is the width of a column of a format of names when the name
// has no colon behind it.
const DefaultNameWidth = 20

// ParseNames cuts a list such as "jobid:10,name:.8#,state: " into its columns:
// name[:[.][width][suffix]], separated by commas. A name with a colon and no
// width is as wide as its value; empty items are skipped.
func ParseNames(list string) []NameField {
	var out []NameField
	for item := range strings.SplitSeq(list, ",") {
		if item == "" {
			continue
		}
		name, spec, colon := strings.Cut(item, ":")
		f := NameField{Name: name, Width: DefaultNameWidth}
		if colon {
			if spec != "" && spec[0] == '.' {
				f.Right = true
				spec = spec[1:]
			}
			// A minus in front of a width means nothing: what is not right justified is left.
			if bare := strings.TrimLeft(spec, " \t"); len(bare) > 1 && (bare[0] == '-' || bare[0] == '+') && digits(bare[1:]) > 0 {
				spec = bare[1:]
			} else if digits(bare) > 0 {
				spec = bare
			}
			n := digits(spec)
			f.Width, f.After = columnWidth(spec[:n]), spec[n:]
		}
		out = append(out, f)
	}
	return out
}

// Pad prints a value in a column of squeue or sinfo: cut at width, else filled
// with blanks. Width 0 leaves it as it is. Widths count characters.
func Pad(value string, width int, right bool) string {
	if width <= 0 {
		return value
	}
	n := utf8.RuneCountInString(value)
	switch {
	case n > width:
		return firstRunes(value, width)
	case right:
		return strings.Repeat(" ", width-n) + value
	}
	return value + strings.Repeat(" ", width-n)
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// AcctField is one column of the accounting commands: sacct, sacctmgr, sreport,
// sshare and sstat.
type AcctField struct {
	Name  string // as written
	Width int    // 0: the column's own
	Left  bool   // left justified
}

// ParseAcctFields reads names separated by commas, each perhaps with %width or
// %-width behind it. Slurm reads of a width what is a number at its beginning,
// and so does this: without one the column's own width holds.
func ParseAcctFields(list string) ([]AcctField, error) {
	var out []AcctField
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, width, has := strings.Cut(item, "%")
		f := AcctField{Name: name}
		if has {
			width, f.Left = strings.CutPrefix(width, "-")
			width = width[:len(width)-len(strings.TrimLeft(width, "0123456789"))]
			n, ok := parseUint(width, maxWidth)
			if !ok && width != "" || name == "" {
				return nil, &SyntaxError{Input: item, What: "a column", Why: "want name[%[-]width]"}
			}
			f.Width = int(n)
		}
		out = append(out, f)
	}
	return out, nil
}

// PadAcct prints a value in a column of the accounting commands: one that is too
// long ends with +.
func PadAcct(value string, width int, left bool) string {
	if width <= 0 {
		return value
	}
	if utf8.RuneCountInString(value) > width {
		return firstRunes(value, width-1) + "+"
	}
	return Pad(value, width, !left)
}

// AcctKind is what a column of the accounting commands holds, which decides how a value
// that is too long for it is printed.
type AcctKind uint8

// The kinds of columns.
const (
	AcctText   AcctKind = iota // cut, with + at its end
	AcctNumber                 // a number, or a span of time: never cut
	AcctMoment                 // a moment: cut, and nothing says so
	AcctReal                   // a fraction: written with an exponent, and never cut
)

// Pad prints a value of that kind in a column, of a width of its own or in as many
// characters as it has.
func (k AcctKind) Pad(value string, width int, left bool) string {
	if k == AcctText || width <= 0 || utf8.RuneCountInString(value) <= width {
		return PadAcct(value, width, left)
	}
	switch k {
	case AcctMoment:
		return firstRunes(value, width)
	case AcctReal:
		if f, err := strconv.ParseFloat(value, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return fmt.Sprintf("%e", f)
		}
	}
	return value
}

// SortKey is one column to sort by.
type SortKey struct {
	Name       string
	Descending bool
}

// ParseSort reads names or letters separated by commas, each with - in front to
// turn its order round, or + to say that it is not.
func ParseSort(s string) []SortKey {
	var out []SortKey
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		var k SortKey
		if item, k.Descending = strings.CutPrefix(item, "-"); !k.Descending {
			item = strings.TrimPrefix(item, "+")
		}
		if k.Name = item; item != "" {
			out = append(out, k)
		}
	}
	return out
}
