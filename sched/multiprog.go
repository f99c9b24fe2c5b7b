package sched

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// ParseMultiProg reads the file of srun --multi-prog for a step of tasks tasks
// and returns what each rank runs. A line is a list of ranks or *, and a command
// in whose words %t is the rank and %o its place in the list, any other % and
// the character behind it nothing; what stands in single quotes is passed as it
// is. name is the file's, for the errors, which are of type *MultiProgError.
//
// A rank that the step has not is an error.
func ParseMultiProg(name string, text []byte, tasks int) (func(rank int) ([]string, error), error) {
	type program struct {
		words  []multiWord
		offset int
	}
	byRank := make([]*program, tasks)
	var rest []multiWord
	n := 0
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for line := range strings.Lines(joined) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		ranks, command := line, ""
		if i := strings.IndexAny(line, " \t"); i > 0 {
			ranks, command = line[:i], line[i:]
		}
		words, err := multiWords(command)
		badLine := fmt.Sprintf("Line %d of configuration file %s invalid", n, name)
		if err != nil || len(words) == 0 {
			return nil, &MultiProgError{[]string{badLine}}
		}
		if ranks == "*" {
			rest = words
			continue
		}
		list, why := multiRanks(ranks, tasks)
		if why != "" {
			return nil, &MultiProgError{[]string{why, badLine}}
		}
		for offset, r := range list {
			if byRank[r] != nil {
				return nil, &MultiProgError{[]string{fmt.Sprintf("Duplicate record for task %d", r), badLine}}
			}
			byRank[r] = &program{words, offset}
		}
	}
	for r := range byRank {
		if byRank[r] == nil {
			if rest == nil {
				return nil, &MultiProgError{[]string{fmt.Sprintf("Configuration file %s invalid, no record for task id %d", name, r)}}
			}
			byRank[r] = &program{rest, r}
		}
	}
	return func(rank int) ([]string, error) {
		if rank < 0 || rank >= tasks {
			return nil, fmt.Errorf("task %d of %d: %w", rank, tasks, slurm.ErrnoError)
		}
		p := byRank[rank]
		argv := make([]string, len(p.words))
		for i, w := range p.words {
			argv[i] = w.text
			if !w.quoted {
				argv[i] = multiExpand(w.text, rank, p.offset)
			}
		}
		return argv, nil
	}, nil
}

// MultiProgError tells what is wrong with a file of srun --multi-prog, in lines
// as srun prints them.
type MultiProgError struct{ Lines []string }

func (e *MultiProgError) Error() string { return strings.Join(e.Lines, ": ") }

// Unwrap tells that the error has no number of its own.
func (e *MultiProgError) Unwrap() error { return slurm.ErrnoError }

// multiExpand puts a task's numbers into a word.
func multiExpand(s string, rank, offset int) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i < len(s) {
			switch s[i] {
			case 't':
				b.WriteString(strconv.Itoa(rank))
			case 'o':
				b.WriteString(strconv.Itoa(offset))
			}
		}
	}
	return b.String()
}

// multiWord is one word of a command.
type multiWord struct {
	text   string
	quoted bool // in single quotes: nothing in it is replaced
}

func multiWords(s string) ([]multiWord, error) {
	var out []multiWord
	var b strings.Builder
	in, single := false, false
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				b.WriteByte(c)
			}
		case c == '\'':
			quote, in, single = c, true, true
		case c == ' ' || c == '\t':
			if in {
				out = append(out, multiWord{b.String(), single})
				b.Reset()
				in, single = false, false
			}
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
			in = true
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("quote %q is not closed", quote)
	}
	if in {
		out = append(out, multiWord{b.String(), single})
	}
	return out, nil
}

// multiRanks reads 0,2-4 in the order given, for a step of so many tasks. What is wrong
// with it is said in srun's words. Commas with nothing behind them and a range without an
// upper end are taken, as srun takes them.
func multiRanks(s string, tasks int) (ranks []int, why string) {
	for _, part := range strings.Split(s, ",") {
		if part == "" {
			continue
		}
		number := part
		if part[0] == '-' {
			number = part[1:]
		}
		k := strings.IndexFunc(number, func(c rune) bool { return c < '0' || c > '9' })
		if k < 0 {
			k = len(number)
		}
		low, err := strconv.Atoi(part[:len(part)-len(number)+k])
		rest := number[k:]
		if err != nil || rest != "" && rest[0] != '-' {
			return nil, fmt.Sprintf("Invalid task range specification (%s)", s)
		}
		if low < 0 {
			return nil, fmt.Sprintf("Invalid task id, %d < 0", low)
		}
		high := low
		if len(rest) > 1 {
			if high, err = strconv.Atoi(rest[1:]); err != nil || high < 0 {
				return nil, "Invalid task range specification"
			}
		}
		switch {
		case high < low:
			return nil, fmt.Sprintf("Invalid task range, %d-%d", low, high)
		case high >= tasks:
			return nil, fmt.Sprintf("Invalid task id, %d >= ntasks", high)
		}
		for ; low <= high; low++ {
			ranks = append(ranks, low)
		}
	}
	return ranks, ""
}
