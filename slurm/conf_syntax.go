package slurm

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// FileReader reads a file that a configuration names.
type FileReader = func(path string) ([]byte, error)

// ConfError is a mistake in a configuration file and where it stands.
type ConfError struct {
	File string
	Line int
	Why  string
}

func (e *ConfError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Why) }

// ConfText is one file of a configuration as it was read.
type ConfText struct {
	Path string
	Text string
}

// confPair is one Key=value of a line.
type confPair struct {
	key, value string
	op         byte // 0, or one of + - * / before the equals sign
}

// confLine is one line of a configuration, continuations joined.
type confLine struct {
	file  string
	line  int // the number of its first part
	pairs []confPair
}

func (l *confLine) errorf(format string, args ...any) error {
	return &ConfError{File: l.file, Line: l.line, Why: fmt.Sprintf(format, args...)}
}

// maxInclude is how deep Include may go; a file that includes itself is found.
const maxInclude = 8

// confReader reads the lines of a file and of the files it includes.
type confReader struct {
	read    FileReader
	dir     string
	cluster string // for %c, as soon as ClusterName is known
	lines   []confLine
	texts   []ConfText
	errs    []error
}

// readConf reads file and what it includes. Mistakes of the syntax are gathered;
// what could be read is returned with them.
func readConf(file string, read FileReader) *confReader {
	r := &confReader{read: read, dir: path.Dir(file)}
	text, err := read(file)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("cannot read configuration file %s: %w", file, err))
		return r
	}
	r.file(file, string(text), 0)
	return r
}

func (r *confReader) file(name, text string, depth int) {
	r.texts = append(r.texts, ConfText{Path: name, Text: text})
	number := 0
	joined, first := "", 0
	for part := range strings.Lines(text) {
		number++
		part = strings.TrimRight(part, "\r\n")
		if joined == "" {
			first = number
		}
		part, more := stripRemark(part)
		joined += part
		if more {
			// A list goes on where it was cut, as in Slurm; words are kept apart.
			if !strings.HasSuffix(joined, ",") && !strings.HasSuffix(joined, "=") {
				joined += " "
			}
			continue
		}
		r.line(name, first, joined, depth)
		joined = ""
	}
	if joined != "" {
		r.line(name, first, joined, depth)
	}
}

// stripRemark cuts the remark off a line, which a # outside quotes begins unless
// a backslash stands before it, and reports whether the line goes on in the next.
func stripRemark(s string) (text string, more bool) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 == len(s):
			return b.String(), true
		case c == '\\' && s[i+1] == '#':
			i++
			b.WriteByte('#')
		case c == '\\' && s[i+1] == '\\':
			i++
			b.WriteString(`\\`)
		case c == '#' && !quoted:
			return b.String(), false
		default:
			if c == '"' {
				quoted = !quoted
			}
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

// line reads one whole line.
func (r *confReader) line(file string, number int, text string, depth int) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	l := confLine{file: file, line: number}
	if name, ok := includeName(text); ok {
		r.include(&l, name, depth)
		return
	}
	for rest := text; rest != ""; {
		pair, after, why := confPairOf(rest)
		if why != "" {
			r.errs = append(r.errs, l.errorf("cannot read %s: %s", quote(rest), why))
			return
		}
		l.pairs = append(l.pairs, pair)
		rest = strings.TrimSpace(after)
	}
	if strings.EqualFold(l.pairs[0].key, "ClusterName") {
		r.cluster = l.pairs[0].value
	}
	r.lines = append(r.lines, l)
}

// includeName takes the file name of an Include line.
func includeName(text string) (string, bool) {
	word := "include"
	if len(text) <= len(word) || !strings.EqualFold(text[:len(word)], word) || !strings.ContainsRune(" \t=", rune(text[len(word)])) {
		return "", false
	}
	return strings.Trim(strings.TrimLeft(text[len(word):], " \t="), `"`), true
}

func (r *confReader) include(l *confLine, name string, depth int) {
	if depth >= maxInclude {
		r.errs = append(r.errs, l.errorf("cannot include %s: files include each other more than %d deep", quote(name), maxInclude))
		return
	}
	given := name
	name = strings.ReplaceAll(name, "%c", r.cluster)
	if !path.IsAbs(name) {
		name = path.Join(r.dir, name)
	}
	text, err := r.read(name)
	if err != nil {
		r.errs = append(r.errs, l.errorf("cannot include %s: %v", quote(given), err))
		return
	}
	r.file(name, string(text), depth+1)
}

// confPairOf takes the first Key=value of a text.
func confPairOf(text string) (pair confPair, rest, why string) {
	n := 0
	for n < len(text) && confKeyByte(text[n]) {
		n++
	}
	if n == 0 {
		return pair, "", "it does not begin with a key"
	}
	pair.key = text[:n]
	rest = strings.TrimLeft(text[n:], " \t")
	if rest != "" && strings.IndexByte("+-*/", rest[0]) >= 0 {
		pair.op, rest = rest[0], rest[1:]
	}
	if rest == "" || rest[0] != '=' {
		return pair, "", "want Key=value"
	}
	rest = strings.TrimLeft(rest[1:], " \t")
	if rest == "" {
		return pair, "", "the value is missing"
	}
	if rest[0] != '"' {
		end := strings.IndexAny(rest, " \t")
		if end < 0 {
			end = len(rest)
		}
		pair.value = rest[:end]
		return pair, rest[end:], ""
	}
	end := strings.IndexByte(rest[1:], '"')
	if end < 0 {
		return pair, "", "the quote is not closed"
	}
	pair.value, rest = rest[1:1+end], rest[2+end:]
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return pair, "", "something is glued to the closing quote"
	}
	return pair, rest, ""
}

func confKeyByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.'
}

// Verdict is what becomes of a key of a configuration.
type Verdict uint8

const (
	// Honoured: the key does here what it does in Slurm.
	Honoured Verdict = iota
	// Ignored: the key is known and changes nothing here; KeyReport says why.
	Ignored
	// Refused: the configuration cannot be used with it.
	Refused
)

// String returns the verdict in a word.
func (v Verdict) String() string {
	switch v {
	case Honoured:
		return "honoured"
	case Ignored:
		return "ignored"
	}
	return "refused"
}

// KeyReport says what becomes of one key in one place.
type KeyReport struct {
	File    string
	Line    int
	Key     string // as it is spelled in the documentation
	Value   string
	Verdict Verdict
	Why     string // for Ignored and Refused
}

// Gone reports whether it is a key that older releases of Slurm had.
func (k KeyReport) Gone() bool { return k.Verdict == Ignored && strings.HasPrefix(k.Why, whyGone) }

// String prints the report as "file:line: Key=value ignored: why".
func (k KeyReport) String() string {
	s := fmt.Sprintf("%s:%d: %s=%s %s", k.File, k.Line, k.Key, k.Value, k.Verdict)
	if k.Why != "" {
		s += ": " + k.Why
	}
	return s
}

// errOf turns gathered mistakes into one error, nil when there are none.
func errOf(errs []error) error { return errors.Join(errs...) }
